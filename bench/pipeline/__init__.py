"""`python -m bench pipeline`: posts a second from a full stream to rows and frames, and what a post costs."""
