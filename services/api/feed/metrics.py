"""What is counted of the live feed, connection by connection and frame by frame."""

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from services.common.metrics import start_at_zero

SEND_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5, 10)
STAY_BUCKETS_S = (1, 10, 60, 300, 900, 3_600, 4 * 3_600, 24 * 3_600)
# A client may close with any number; these are told apart.
CODES = frozenset({1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1011, 1013})


class LiveMetrics:
    """Every metric of `/ws/sentiment`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.clients = Gauge("undertone_websocket_clients", "Browsers connected", registry=registry)
        self.opened = Counter("undertone_websocket_opened", "Connections accepted", registry=registry)
        self._closed = Counter(
            "undertone_websocket_closed",
            "Connections ended, by the code of the first goodbye; 1006: without one",
            ["code"],
            registry=registry,
        )
        self.stay_s = Histogram(
            "undertone_websocket_duration_seconds",
            "How long a connection lasted",
            buckets=STAY_BUCKETS_S,
            registry=registry,
        )
        self.refused = Counter(
            "undertone_websocket_refused", "Connections refused or ended by us", ["reason"], registry=registry
        )
        start_at_zero(self.refused, ("access", "full", "origin", "slow"))
        self.frames_dropped = Counter(
            "undertone_websocket_frames_dropped", "Frames that a slow browser lost", registry=registry
        )
        self.sent = SentFrames()
        registry.register(self.sent)

    def closed(self, code: int) -> None:
        self._closed.labels(str(code) if code in CODES else "other").inc()


class SentFrames(Collector):
    """Frames by type, their bytes, how long sending took.

    Plain numbers of one event loop: there are tens of thousands a second, and each metric's lock costs a microsecond.
    """

    def __init__(self) -> None:
        self._frames: dict[str, int] = {}
        self._bytes = 0
        self._took_s = 0.0
        self._by_bucket = [0] * (len(SEND_BUCKETS_S) + 1)

    def note(self, kind: str, size_bytes: int, took_s: float) -> None:
        self._frames[kind] = self._frames.get(kind, 0) + 1
        self._bytes += size_bytes
        self._took_s += took_s
        self._by_bucket[bisect_left(SEND_BUCKETS_S, took_s)] += 1

    def collect(self) -> Iterator[Metric]:
        frames = CounterMetricFamily("undertone_websocket_frames_sent", "Frames sent, by type", labels=["type"])
        for kind, count in self._frames.items():
            frames.add_metric([kind], count)
        yield frames
        yield CounterMetricFamily("undertone_websocket_sent_bytes", "Bytes of the frames sent", self._bytes)
        below, buckets = 0, []
        for limit, count in zip((*map(str, SEND_BUCKETS_S), "+Inf"), self._by_bucket, strict=True):
            below += count
            buckets.append((limit, below))
        yield HistogramMetricFamily(
            "undertone_websocket_send_duration_seconds",
            "From a frame's turn until the connection has room for more; long: its browser is slow",
            buckets=buckets,
            sum_value=self._took_s,
        )
