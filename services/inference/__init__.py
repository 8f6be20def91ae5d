"""Texts in, labels and scores out: tokenize, bucket, ask Triton, score."""
