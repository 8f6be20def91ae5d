"""`python -m bench fanout`: one feed to many browsers, some of which never read."""
