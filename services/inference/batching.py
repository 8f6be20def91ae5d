"""Which posts share a request: sorted by length, padded to a few lengths, within a token budget.

Triton merges only requests of equal shape, so a small set of lengths is what makes dynamic batching happen; sorting
first keeps the padding small. A few posts of neighbouring lengths share one request where another one would cost more
than the padding.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PADDING_ID = 0
# What a request costs beside its tokens, in tokens: so much padding is cheaper than another request. Measured with the
# starter models on a CPU, where it is mostly the model's weights on their way through the cache (docs/performance.md).
REQUEST_TOKENS = 32
# Texts share a request only where their own lengths lie in the same block of so many tokens. A CPU adds up 16 numbers
# at a time and the rest of a row in another order, so padding beyond the next multiple of 16 moves an answer by a
# rounding error, and int8 makes thousandths of it; within the block it is the same to the last bit, alone or not.
BLOCK_TOKENS = 16


@dataclass(frozen=True)
class Batch:
    """`rows` are positions in the caller's list; all are padded to `length` tokens."""

    rows: tuple[int, ...]
    length: int


def plan_batches(token_counts: Sequence[int], lengths: Sequence[int], *, max_rows: int, max_tokens: int) -> list[Batch]:
    """Every position of `token_counts` in exactly one batch, so that requests and padded tokens cost least together.

    `lengths` ascending; a batch has at most `max_rows` rows and, unless one row alone exceeds it, at most `max_tokens`
    padded tokens, and its length is the least that its longest row fits. ValueError if a text is longer than the
    longest length.
    """
    order = sorted(range(len(token_counts)), key=lambda row: token_counts[row])
    counts = [token_counts[row] for row in order]
    if counts and counts[-1] > lengths[-1]:
        raise ValueError(f"{counts[-1]} tokens are more than the longest length, {lengths[-1]}")
    batches = []
    for start, end, length in _groups(counts, lengths, max_rows, max_tokens):
        capacity = _capacity(length, max_rows, max_tokens)
        for first in range(start, end, capacity):
            rows = order[first : min(first + capacity, end)]
            batches.append(Batch(tuple(rows), lengths[bisect_left(lengths, token_counts[rows[-1]])]))
    return batches


def _groups(
    counts: Sequence[int], lengths: Sequence[int], max_rows: int, max_tokens: int
) -> Iterator[tuple[int, int, int]]:
    """Start, end and length of the groups that ascending `counts` are best cut into.

    The usual shortest path: the least that all rows up to the end of a length can cost, for one length after the other.
    """
    ends = [(0, 0)]
    for length in lengths:
        end = bisect_right(counts, length, ends[-1][0])
        if end > ends[-1][0]:
            ends.append((end, length))
    costs, starts = [0], [0]
    for to in range(1, len(ends)):
        end, length = ends[to]
        capacity = _capacity(length, max_rows, max_tokens)
        least, least_start = -1, 0
        for start in range(to - 1, -1, -1):
            if ends[start + 1][1] // BLOCK_TOKENS != length // BLOCK_TOKENS:
                break
            rows = end - ends[start][0]
            cost = costs[start] + rows * length - (-rows // capacity) * REQUEST_TOKENS
            if least < 0 or cost < least:
                least, least_start = cost, start
        costs.append(least)
        starts.append(least_start)
    to, groups = len(ends) - 1, []
    while to > 0:
        groups.append((ends[starts[to]][0], *ends[to]))
        to = starts[to]
    return reversed(groups)


def _capacity(length: int, max_rows: int, max_tokens: int) -> int:
    """Rows of a request with texts of this length."""
    return max(1, min(max_rows, max_tokens // length))


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
