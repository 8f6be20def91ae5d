"""Which posts share a request: sorted by length, padded to a few lengths, within a token budget.

Triton merges only requests of equal shape, so a small set of lengths is what makes dynamic batching happen; sorting
first keeps the padding small. Where the server cuts off the padding of each row by itself (`mixed`), posts of all
lengths share a request instead, and fewer requests have to be paid for.
"""

from bisect import bisect_left
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


def plan_batches(
    token_counts: Sequence[int], lengths: Sequence[int], *, max_rows: int, max_tokens: int, mixed: bool = False
) -> list[Batch]:
    """Every position of `token_counts` in exactly one batch, from the shortest texts to the longest.

    `lengths` ascending; a batch has at most `max_rows` rows and, unless one row alone exceeds it, at most `max_tokens`
    padded tokens, and its length is the least that its longest row fits. Unless `mixed`, so it is for each of its rows.
    ValueError if a text is longer than the longest length.
    """
    order = sorted(range(len(token_counts)), key=lambda row: token_counts[row])
    if order and token_counts[order[-1]] > lengths[-1]:
        raise ValueError(f"{token_counts[order[-1]]} tokens are more than the longest length, {lengths[-1]}")
    batches: list[Batch] = []
    rows: list[int] = []
    length = 0
    for row in order:
        fitting = lengths[bisect_left(lengths, token_counts[row])]
        full = len(rows) == max_rows or (len(rows) + 1) * fitting > max_tokens
        if rows and (full or (fitting > length and not mixed)):
            batches.append(Batch(tuple(rows), length))
            rows = []
        rows.append(row)
        length = fitting
    return [*batches, Batch(tuple(rows), length)] if rows else batches


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
