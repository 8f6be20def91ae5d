"""What `export.checkpoint` is made of: where a checkpoint comes from, and what has to be whole in it."""
