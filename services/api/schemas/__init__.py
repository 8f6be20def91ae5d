"""The answers of the API, by topic."""
