"""What Triton counts, and how long posts take."""
