"""`undertone`: what a person asks of a running system, from a terminal."""
