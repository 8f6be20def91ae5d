"""Words on the rise: what a text consists of, what was counted, and by how much that is more than before."""
