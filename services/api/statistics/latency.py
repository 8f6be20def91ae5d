"""How long posts took, as a histogram whose size does not grow with their number."""

import math
from collections.abc import Iterable

# A quantile is at most so much larger or smaller than the value of the post that it names (as of DDSketch, Masson et
# al. 2019): a bucket ends at 1.041 times its beginning, and what it stands for is their harmonic mean.
RELATIVE_ERROR = 0.02
# What is faster counts as this, what is slower as that: 458 buckets at most.
MIN_MS, MAX_MS = 1.0, 86_400_000.0

_GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_PER_BUCKET = 1 / math.log(_GROWTH)


class Latencies:
    """Milliseconds, in buckets of a width that is the same share of what they hold."""

    def __init__(self) -> None:
        self.count = 0
        self._buckets: dict[int, int] = {}

    def add(self, latency_ms: float) -> None:
        bucket = math.ceil(math.log(min(max(latency_ms, MIN_MS), MAX_MS)) * _PER_BUCKET)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.count += 1

    def quantile_ms(self, share: float) -> float | None:
        """The least of the latencies that at least this share of them do not exceed; None where there are none."""
        rank = max(1, math.ceil(share * self.count))
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return 2 * _GROWTH**bucket / (_GROWTH + 1)
        return None


def merged(many: Iterable[Latencies]) -> Latencies:
    """All of them as one; exactly, since their buckets are the same."""
    total = Latencies()
    for each in many:
        total.count += each.count
        for bucket, count in each._buckets.items():
            total._buckets[bucket] = total._buckets.get(bucket, 0) + count
    return total
