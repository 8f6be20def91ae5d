"""Texts to token ids, as the services do it.

The services have code of their own for this; tests/integration/test_export_verify.py holds the two together.
"""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

TokenIds = list[int]


class Encoder:
    """One tokenizer file. Texts beyond `max_tokens` are cut to it, special tokens kept."""

    def __init__(self, path: Path, max_tokens: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._max_tokens = max_tokens

    def encode(self, texts: Sequence[str], max_tokens: int | None = None) -> list[TokenIds]:
        """Token ids of each text, `max_tokens` at most, by default the model's."""
        self._tokenizer.enable_truncation(max_tokens or self._max_tokens)
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def count(self, text: str) -> int:
        """Tokens of the uncut text, special ones counted."""
        self._tokenizer.no_truncation()
        return len(self._tokenizer.encode(text).ids)


def bucket_of(tokens: int, lengths: Sequence[int]) -> int:
    """The length that a row of so many tokens is padded to."""
    return next(length for length in lengths if tokens <= length)
