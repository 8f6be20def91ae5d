"""How the sources are doing, for Prometheus and, in Redis, for the API."""

from collections.abc import Sequence

from prometheus_client import Gauge

from services.common.background import Round
from services.common.source_states import SourceStore
from services.ingester.sources.base import Source

CONNECTED = Gauge("undertone_source_connected", "1 while the source is connected, or answers", ["source"])
BEHIND = Gauge(
    "undertone_source_behind_seconds",
    "How old the newest event of the source was when it came; while it is not connected, how old it is",
    ["source"],
)
LAST_POST = Gauge("undertone_source_last_post_timestamp_seconds", "When the last post was published", ["source"])
REPORT_INTERVAL_S = 1.0


def reporting(sources: Sequence[Source], store: SourceStore) -> Round:
    """Says it every second."""

    async def report() -> None:
        states = [source.health.state() for source in sources]
        for state in states:
            CONNECTED.labels(state.name).set(state.connected)
            if state.behind_s is not None:
                BEHIND.labels(state.name).set(state.behind_s)
            if state.last_post_s is not None:
                LAST_POST.labels(state.name).set(state.last_post_s)
        await store.write_states(states)

    return ("source states", report, REPORT_INTERVAL_S)
