"""Texts to token ids, padded and batched as the services do it.

The services have code of their own for this; tests/integration/test_export_verify.py holds the two together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

TokenIds = list[int]
PADDING_ID = 0


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


@dataclass(frozen=True)
class Batch:
    """`rows` are positions in the caller's list; all are padded to `length` tokens."""

    rows: tuple[int, ...]
    length: int


def plan_batches(rows: Sequence[TokenIds], lengths: Sequence[int], *, max_rows: int, max_tokens: int) -> list[Batch]:
    """Every row in one batch, sorted by token count; a batch has at most so many rows and, padded, so many tokens."""
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    batches = []
    for length in lengths:
        fitting = [row for row in order if bucket_of(len(rows[row]), lengths) == length]
        size = max(1, min(max_rows, max_tokens // length))
        batches += [Batch(tuple(fitting[i : i + size]), length) for i in range(0, len(fitting), size)]
    return batches


def bucket_of(tokens: int, lengths: Sequence[int]) -> int:
    """The length that a row of so many tokens is padded to."""
    return next(length for length in lengths if tokens <= length)


def pad_right(rows: Sequence[TokenIds], length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and attention mask, both `[rows, length]`. On the right: fused attention reads the mask as a length."""
    ids = np.full((len(rows), length), PADDING_ID, dtype=np.int64)
    mask = np.zeros((len(rows), length), dtype=np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return ids, mask
