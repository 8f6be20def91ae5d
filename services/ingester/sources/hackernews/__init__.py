"""The stories and comments of Hacker News, by its official API."""
