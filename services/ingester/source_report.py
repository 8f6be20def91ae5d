"""How the sources are doing, for Prometheus and, in Redis, for the API; and back from there which are switched off."""

import secrets
from collections.abc import Mapping, Sequence

import msgspec
from prometheus_client import Gauge

from services.common.background import Round
from services.common.logging import get_logger
from services.common.source_states import SourceState, SourceStore
from services.ingester.sources.base import Source
from services.ingester.switch import Switch

log = get_logger(__name__)

ON = Gauge("undertone_source_on", "1 while the source is switched on", ["source"])
CONNECTED = Gauge("undertone_source_connected", "1 while the source is connected, or answers", ["source"])
WAITING = Gauge("undertone_source_waiting", "1 while the source waits for workers that are behind", ["source"])
BEHIND = Gauge(
    "undertone_source_behind_seconds",
    "How old the newest event of the source was when it came; while it is not connected, how old it is",
    ["source"],
)
LAST_POST = Gauge("undertone_source_last_post_timestamp_seconds", "When the last post was published", ["source"])
REPORT_INTERVAL_S = 1.0


class SourceReport:
    """What is said of the sources, and asked, every second. `switches`: one for each source, by name."""

    def __init__(self, sources: Sequence[Source], switches: Mapping[str, Switch], store: SourceStore) -> None:
        self._sources = sources
        self._switches = switches
        self._store = store
        self._run = secrets.token_hex(5)
        self._has_written = False
        self._has_warned = False

    @property
    def round(self) -> Round:
        return ("source states", self._report, REPORT_INTERVAL_S)

    async def _report(self) -> None:
        states = [msgspec.structs.replace(source.health.state(), run=self._run) for source in self._sources]
        for state in states:
            _show(state)
        # First: where Redis is full it is still read.
        await self.read_switches()
        await self._look_for_others()
        await self._store.write_states(states)
        self._has_written = True

    async def read_switches(self) -> None:
        """Transient if Redis is away: they stay as they are."""
        off = await self._store.switched_off([*self._switches])
        for name, switch in self._switches.items():
            switch.turn(on=name not in off)

    async def _look_for_others(self) -> None:
        """Another process that has written since we did lives. It has our positions, too: each goes on where the other
        was.
        """
        if self._has_warned or not self._has_written:
            return
        if await self._store.read_runs([*self._switches]) - {self._run}:
            log.warning("another ingester has a source of the same name", advice="give one of the two a --name")
            self._has_warned = True


def _show(state: SourceState) -> None:
    ON.labels(state.name).set(state.on)
    CONNECTED.labels(state.name).set(state.connected)
    WAITING.labels(state.name).set(state.waiting)
    if state.behind_s is not None:
        BEHIND.labels(state.name).set(state.behind_s)
    if state.last_post_s is not None:
        LAST_POST.labels(state.name).set(state.last_post_s)
