"""Looks at Triton, the stream and the results channel every few seconds, so that asking costs none of them anything."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from time import monotonic

import httpx2

from services.api.metrics import ApiMetrics
from services.api.schemas.statistics import HistoryPoint
from services.api.statistics.arrivals import Arrivals
from services.api.statistics.triton_metrics import Hardware, read_all_hardware
from services.api.statistics.window import Sample, Window, window_of
from services.common.errors import ConfigurationError, Rejected, Transient
from services.common.settings import Settings
from services.inference.access import Access
from services.inference.client import TritonClient, open_triton
from services.inference.served import CANARY_SUFFIX, Models
from services.inference.statistics import Statistics, read_statistics

INTERVAL_S = 5.0
# A Triton that is slower than this counts as away for this time; the next look follows.
TRITON_TIMEOUT_S = 2.0
# A quarter of an hour; each with a histogram of some dozens of numbers, together a few megabytes at most.
KEPT_SAMPLES = 181


@dataclass(frozen=True)
class Seen:
    """The last look. `server`: Triton's name and version, `models`: those in service, each as long as it was known."""

    server: tuple[str, str] | None = None
    models: Models | None = None
    hardware: Hardware | None = None


@dataclass(frozen=True)
class Sources:
    """Where to look. `hardware` is None where nobody says where Triton's metrics are; `names` are the models'."""

    triton: TritonClient
    hardware: Callable[[], Awaitable[Hardware]] | None
    names: tuple[str, ...]


@asynccontextmanager
async def open_sources(settings: Settings) -> AsyncIterator[Sources]:
    """Connections of their own: what is asked of the models does not wait for these, nor these for it."""
    async with (
        open_triton(settings.triton_url, TRITON_TIMEOUT_S, Access.of(settings)) as triton,
        httpx2.AsyncClient(timeout=TRITON_TIMEOUT_S) as http,
    ):
        urls = settings.triton_metrics_url.split(",")
        hardware = partial(read_all_hardware, http, urls) if settings.triton_metrics_url else None
        yield Sources(triton, hardware, (settings.sentiment_model, settings.emotion_triton_model))


class InferenceWatch:
    """The memory of one API process; another one has another."""

    def __init__(
        self, sources: Sources, models: Callable[[], Awaitable[Models]], arrivals: Arrivals, metrics: ApiMetrics
    ) -> None:
        self._triton = sources.triton
        self._models = models
        self._read_hardware = sources.hardware
        self._arrivals = arrivals
        self._metrics = metrics
        self._names = frozenset(sources.names) | {name + CANARY_SUFFIX for name in sources.names}
        self._samples: deque[Sample] = deque(maxlen=KEPT_SAMPLES)
        self._history: deque[HistoryPoint] = deque(maxlen=KEPT_SAMPLES - 1)
        self.seen = Seen()

    async def look(self) -> None:
        """One more sample; what is away leaves its part of it empty. To be called every INTERVAL_S seconds."""
        statistics, hardware = await asyncio.gather(self._ask_triton(), self._ask_hardware())
        self.seen = replace(self.seen, hardware=hardware)
        now, seconds = datetime.now(UTC), monotonic()
        self._samples.append(Sample(now, seconds, statistics, self._arrivals.take(), self._metrics.stream))
        if len(self._samples) > 1:
            self._history.append(point_of(self._samples[-2], self._samples[-1]))

    @property
    def last(self) -> Sample | None:
        return self._samples[-1] if self._samples else None

    @property
    def history(self) -> list[HistoryPoint]:
        return list(self._history)

    def window(self, seconds: float) -> Window:
        """To be asked when there is a last sample."""
        return window_of(list(self._samples), seconds)

    async def _ask_triton(self) -> Statistics | None:
        """The counters of our models, None while it is away; what else it says is kept."""
        statistics: Statistics | None = None
        # ConfigurationError: models that do not fit are somebody else's to complain of.
        with suppress(Transient, Rejected, ConfigurationError, TimeoutError):
            async with asyncio.timeout(TRITON_TIMEOUT_S):
                statistics = {
                    server: {version: each for version, each in found.items() if version[0] in self._names}
                    for server, found in (await read_statistics(self._triton)).items()
                }
                self.seen = replace(self.seen, server=await self._triton.server())
                self.seen = replace(self.seen, models=await self._models())
        return statistics

    async def _ask_hardware(self) -> Hardware | None:
        if self._read_hardware is None:
            return None
        with suppress(Transient, TimeoutError):
            async with asyncio.timeout(TRITON_TIMEOUT_S):
                return await self._read_hardware()
        return None


def point_of(before: Sample, sample: Sample) -> HistoryPoint:
    """What lay between the two."""
    window = window_of([before, sample], sample.seconds - before.seconds)
    counters, latencies = window.all, window.latencies
    return HistoryPoint(
        at=sample.at,
        posts_per_s=window.per_s(window.posts),
        inferences_per_s=None if sample.statistics is None else window.per_s(counters.inferences),
        mean_batch=counters.mean_batch,
        queue_ms=counters.queue_ms,
        compute_ms=counters.compute_ms,
        lag=sample.stream and sample.stream.lag,
        p50_ms=latencies.quantile_ms(0.5),
        p95_ms=latencies.quantile_ms(0.95),
        p99_ms=latencies.quantile_ms(0.99),
    )
