"""`undertone import`: files of posts into the stream, each once, however often it is stopped."""
