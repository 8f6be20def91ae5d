"""Answers kept for moments, so that many dashboards cost the database as much as one."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Generic, TypeVar

V = TypeVar("V")

# A costly answer is kept longer, up to this: so at most a tenth of the time goes into computing it.
REST_FACTOR = 9.0
MAX_KEPT_S = 25.0


@dataclass(frozen=True)
class Cached(Generic[V]):
    value: V
    cached_at: datetime
    expires: float


class TtlCache(Generic[V]):
    """Values by key for `ttl_s`, costly ones longer. Who asks while one is computed waits; errors are not kept."""

    def __init__(self, ttl_s: float, max_entries: int = 256) -> None:
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._entries: dict[Hashable, Cached[V]] = {}
        self._computing: dict[Hashable, asyncio.Task[Cached[V]]] = {}

    async def get(self, key: Hashable, compute: Callable[[], Awaitable[V]]) -> tuple[Cached[V], bool]:
        """The entry, and whether it was there already. The key must not contain the time."""
        entry = self._entries.get(key)
        if entry is not None and monotonic() < entry.expires:
            return entry, True
        task = self._computing.get(key)
        if task is None:
            task = asyncio.create_task(self._compute(key, compute))
            self._computing[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        # Shielded: a client that goes away must not cancel what others wait for.
        return await asyncio.shield(task), False

    async def _compute(self, key: Hashable, compute: Callable[[], Awaitable[V]]) -> Cached[V]:
        started_at = monotonic()
        value = await compute()
        now = monotonic()
        kept_s = max(self._ttl_s, min(REST_FACTOR * (now - started_at), MAX_KEPT_S))
        entry = Cached(value, datetime.now(UTC), now + kept_s)
        self._entries.pop(key, None)
        if len(self._entries) >= self._max_entries:
            # At the limit the oldest goes: insertion order is age, since an entry is never changed in place.
            del self._entries[next(iter(self._entries))]
        self._entries[key] = entry
        return entry

    def _finished(self, key: Hashable, task: asyncio.Task[Cached[V]]) -> None:
        del self._computing[key]
        if not task.cancelled():
            task.exception()  # marked as seen, also when every waiter has left
