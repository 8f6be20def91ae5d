"""Which texts of unequal length are computed together, so that padding and runs cost least."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Costs(NamedTuple):
    """What a run costs and may hold, in tokens.

    `run_tokens`: its cost beside its tokens; so much padding is cheaper than another run. `block_tokens`: texts share a
    run only where their own lengths lie in the same block of so many; 0: always. `max_tokens`: of a run, padding
    included, unless one row alone has more; 0: any number.
    """

    run_tokens: int
    block_tokens: int = 0
    max_tokens: int = 0


# With the starter models in process, a run of few rows takes 0.6 to 1.4 ms longer than its tokens of 0.09 ms do: 7 to
# 15 of them.
RUN_TOKENS = 12
# A processor adds up 16 numbers at a time and the rest of a row in another order, so padding beyond the next multiple
# of 16 moves an answer by a rounding error, and int8 makes thousandths of it; within the block padding changes nothing.
BLOCK_TOKENS = 16
ON_CPU = Costs(RUN_TOKENS, BLOCK_TOKENS)
# A run begins with about a hundred launches and ends with a wait, 0.3 ms together. An encoder of 6 layers of 768 needs
# 85 million operations a token; at half of 990 TFLOP/s that is 0.17 µs, so 0.3 ms are 1,750 tokens there and fewer on
# slower GPUs. No measurement of ours yet.
GPU_RUN_TOKENS = 1_000
# Up to so many rows, runs on a GPU have a power of two.
FEW_ROWS = 16


def padded_rows(rows: int) -> int:
    """The rows of a run on a GPU that has so many texts: 1, 2, 4, 8, 16, above that steps of an eighth at most.

    There each number of rows, with each length, is a shape for which a plan of attention is built (cuDNN's, by ONNX
    Runtime), once and for good: as many shapes as there are numbers would be slow for hours and never be forgotten.
    """
    if rows <= FEW_ROWS:
        return 1 << (rows - 1).bit_length()
    step = (1 << (rows - 1).bit_length()) // 16
    return -(-rows // step) * step


def groups(counts: Sequence[int], lengths: Sequence[int], costs: Costs = ON_CPU) -> Iterator[tuple[int, int, int]]:
    """Start, end and length of the runs that ascending `counts` are best cut into.

    The usual shortest path: the least that all rows up to the end of a length can cost, for one length after the other.
    What is too much for one run is cut into several of the same length.
    """
    ends = [(0, 0)]
    for length in lengths:
        end = bisect_right(counts, length, ends[-1][0])
        if end > ends[-1][0]:
            ends.append((end, length))
    least, starts = [0], [0]
    for to in range(1, len(ends)):
        end, length = ends[to]
        best, best_start = -1, 0
        for start in range(to - 1, -1, -1):
            if costs.block_tokens and ends[start + 1][1] // costs.block_tokens != length // costs.block_tokens:
                break
            rows = end - ends[start][0]
            cost = least[start] + rows * length + costs.run_tokens * -(-rows // _rows_a_run(rows, length, costs))
            if best < 0 or cost < best:
                best, best_start = cost, start
        least.append(best)
        starts.append(best_start)
    to, found = len(ends) - 1, []
    while to > 0:
        start, (end, length) = ends[starts[to]][0], ends[to]
        step = _rows_a_run(end - start, length, costs)
        found += [(first, min(first + step, end), length) for first in reversed(range(start, end, step))]
        to = starts[to]
    return reversed(found)


def _rows_a_run(rows: int, length: int, costs: Costs) -> int:
    """Where there is a limit, the largest of `padded_rows` below it: full runs are of one shape."""
    if not costs.max_tokens:
        return rows
    most = max(1, costs.max_tokens // length)
    below = 1 << (most.bit_length() - 1)
    return below if most <= FEW_ROWS else most - most % (below // 8)
