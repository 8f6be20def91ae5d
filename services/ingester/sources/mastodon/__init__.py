"""The public posts of a Mastodon server: its stream with a token, its timeline page by page without one."""
