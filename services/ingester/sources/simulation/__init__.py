"""A world of people who post: topics and their vocabulary, moods, a grammar, and a writer who puts them together."""
