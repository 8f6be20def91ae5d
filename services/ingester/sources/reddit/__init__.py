"""Reddit: what is submitted to subreddits, and what is said about it."""
