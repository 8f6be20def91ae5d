"""A circuit breaker: while a dependency is away, one probe asks for it, and nobody else.

A call that fails opens the circuit. Everybody who needs the dependency then waits for one and the same probe, which is
small and does real work (a query, a ping, an inference), with jittered back-off. So a server that comes back is not met
by all that has piled up, and all that has piled up goes on the moment it is back.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from prometheus_client import Gauge

from services.common.backoff import probes
from services.common.cancellation import stop_if_cancelled
from services.common.errors import Transient
from services.common.logging import get_logger

log = get_logger(__name__)

# Who watches the log learns of an outage at its beginning, at its end, and so often meanwhile.
REMIND_INTERVAL_S = 60.0
OPEN = Gauge("undertone_circuit_open", "1 while the dependency is away and only probed", ["dependency"])


class Circuit:
    """Of one process to one dependency."""

    def __init__(self, dependency: str, probe: Callable[[], Awaitable[object]]) -> None:
        """`probe` raises Transient while the dependency is away."""
        self.dependency = dependency
        self._probe = probe
        self._opened_at: float | None = None
        self._reminded_at = 0.0
        # Held by whoever probes; who waits for it and is left alone goes on with the probing.
        self._probing = asyncio.Lock()
        OPEN.labels(dependency).set(0)

    @property
    def is_open(self) -> bool:
        return self._opened_at is not None

    def open(self, failure: Transient) -> None:
        """Nobody calls from now on until a probe has succeeded."""
        if self._opened_at is None:
            self._opened_at = self._reminded_at = time.monotonic()
            OPEN.labels(self.dependency).set(1)
            log.warning("waiting for a dependency", dependency=self.dependency, error=str(failure))

    async def closed(self) -> None:
        """Returns when calls may pass: at once, or when a probe has succeeded, however long that takes."""
        if self._opened_at is None:
            return
        async with self._probing:
            async for attempt in probes():
                with attempt:
                    await self._close()

    async def confirm(self) -> None:
        """The same, but a probe of our own has to succeed first, whatever the circuit says."""
        if self._opened_at is None:
            try:
                await self._probe()
            except Transient as failure:
                stop_if_cancelled()
                self.open(failure)
        await self.closed()

    async def _close(self) -> None:
        if self._opened_at is None:  # by who had the lock before us
            return
        try:
            await self._probe()
        except Transient as failure:
            stop_if_cancelled()
            now = time.monotonic()
            if now - self._reminded_at >= REMIND_INTERVAL_S:
                self._reminded_at = now
                away_s = round(now - self._opened_at)
                log.warning("still waiting", dependency=self.dependency, away_s=away_s, error=str(failure))
            raise
        log.info(
            "the dependency is back", dependency=self.dependency, away_s=round(time.monotonic() - self._opened_at, 1)
        )
        self._opened_at = None
        OPEN.labels(self.dependency).set(0)
