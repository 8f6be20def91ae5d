"""Reads posts from the stream, has them analysed, stores, announces and acknowledges them."""
