"""Which posts share a request: sorted by length, padded to a few lengths, within a token budget.

Triton merges only requests of equal shape, so a small set of lengths is what makes dynamic batching happen; sorting
first keeps the padding small.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PADDING_ID = 0


@dataclass(frozen=True)
class Batch:
    """`rows` are positions in the caller's list; all are padded to `length` tokens."""

    rows: tuple[int, ...]
    length: int


def plan_batches(token_counts: Sequence[int], lengths: Sequence[int], *, max_rows: int, max_tokens: int) -> list[Batch]:
    """Every position of `token_counts` in exactly one batch.

    `lengths` ascending; a batch has at most `max_rows` rows and, unless one row alone exceeds it, at most `max_tokens`
    padded tokens. ValueError if a text is longer than the longest length.
    """
    batches: list[Batch] = []
    order = sorted(range(len(token_counts)), key=lambda row: token_counts[row])
    start = 0
    for length in lengths:
        end = start
        while end < len(order) and token_counts[order[end]] <= length:
            end += 1
        capacity = max(1, min(max_rows, max_tokens // length))
        batches += [Batch(tuple(order[i : min(i + capacity, end)]), length) for i in range(start, end, capacity)]
        start = end
    if start < len(order):
        raise ValueError(f"{token_counts[order[-1]]} tokens are more than the longest length, {lengths[-1]}")
    return batches


def pad_right(tokens: Sequence[list[int]], batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and attention mask of the batch, both `[rows, length]`.

    Right padding is mandatory: fused attention reads the mask as a length.
    """
    ids = np.full((len(batch.rows), batch.length), PADDING_ID, dtype=np.int64)
    mask = np.zeros((len(batch.rows), batch.length), dtype=np.int64)
    for i, row in enumerate(batch.rows):
        count = len(tokens[row])
        ids[i, :count] = tokens[row]
        mask[i, :count] = 1
    return ids, mask
