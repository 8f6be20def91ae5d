"""What is taken every few seconds, and what follows from it for a window of time."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.api.metrics import StreamNumbers
from services.api.statistics.arrivals import Slice
from services.api.statistics.latency import Latencies, merged
from services.inference.statistics import Counters, Statistics, Version, counted_by_all


@dataclass(frozen=True)
class Sample:
    """`seconds`: by a clock that nobody sets. `arrived`: the posts since the sample before.

    `statistics` are None while Triton is away, `stream` while Redis is.
    """

    at: datetime
    seconds: float
    statistics: Statistics | None
    arrived: Slice
    stream: StreamNumbers | None


@dataclass(frozen=True)
class Window:
    """`seconds`: how much time it really is, less than asked for right after a start. 0: there is but one sample yet.

    `counted`: what Triton counted in it, by version.
    """

    seconds: float
    posts: int
    latencies: Latencies
    counted: Mapping[Version, Counters]

    def per_s(self, count: int) -> float:
        return count / self.seconds if self.seconds > 0 else 0.0

    @property
    def all(self) -> Counters:
        """Of all versions together."""
        return sum(self.counted.values(), Counters())


def window_of(samples: Sequence[Sample], seconds: float) -> Window:
    """The last `seconds` of the samples, of which there is at least one, from the sample that is that old."""
    asked_from = samples[-1].seconds - seconds
    first = max(0, bisect_right(samples, asked_from, key=lambda sample: sample.seconds) - 1)
    part = samples[first:]
    arrived = [sample.arrived for sample in part[1:]]
    return Window(
        seconds=part[-1].seconds - part[0].seconds,
        posts=sum(each.posts for each in arrived),
        latencies=merged(each.latencies for each in arrived),
        counted=counted_by_all([sample.statistics for sample in part if sample.statistics is not None]),
    )
