"""Which texts of unequal length are computed together, so that padding and runs cost least."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

# What a run costs beside its tokens, in tokens: so much padding is cheaper than another run. With the starter models in
# process, a run of few rows takes 0.6 to 1.4 ms longer than its tokens of 0.09 ms do: 7 to 15 of them.
RUN_TOKENS = 12
# Texts share a run only where their own lengths lie in the same block of so many tokens. A processor adds up 16 numbers
# at a time and the rest of a row in another order, so padding beyond the next multiple of 16 moves an answer by a
# rounding error, and int8 makes thousandths of it; within the block padding changes nothing.
BLOCK_TOKENS = 16


def groups(counts: Sequence[int], lengths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Start, end and length of the runs that ascending `counts` are best cut into.

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
        least, least_start = -1, 0
        for start in range(to - 1, -1, -1):
            if ends[start + 1][1] // BLOCK_TOKENS != length // BLOCK_TOKENS:
                break
            cost = costs[start] + (end - ends[start][0]) * length + RUN_TOKENS
            if least < 0 or cost < least:
                least, least_start = cost, start
        costs.append(least)
        starts.append(least_start)
    to, found = len(ends) - 1, []
    while to > 0:
        found.append((ends[starts[to]][0], *ends[to]))
        to = starts[to]
    return reversed(found)
