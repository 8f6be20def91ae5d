"""Questions to the models over HTTP: their turns, and the dialect of text-embeddings-inference."""
