"""Takes posts from a source and publishes them to the stream."""
