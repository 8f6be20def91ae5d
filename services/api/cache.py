"""Answers kept for moments, so that many dashboards cost the database as much as one; old ones for when it is away."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Generic, TypeVar

from services.common.errors import Transient

V = TypeVar("V")

# A costly answer is kept longer, up to this: so at most a tenth of the time goes into computing it.
REST_FACTOR = 9.0
MAX_KEPT_S = 25.0
# An older answer would tell of another time: then rather none.
MAX_STALE_S = 600.0
# After a failure the old answer is given at once for so long, before somebody waits for a new one again.
PAUSE_S = 5.0


@dataclass(frozen=True)
class Cached(Generic[V]):
    """`hit`: an earlier request had computed it. `stale`: it is out of date, and could not be computed anew."""

    value: V
    cached_at: datetime
    hit: bool = False
    stale: bool = False

    @property
    def age_s(self) -> int:
        return max(0, int((datetime.now(UTC) - self.cached_at).total_seconds()))


@dataclass(frozen=True)
class _Entry(Generic[V]):
    cached: Cached[V]
    expires: float
    computed: float
    failed: float = float("-inf")


class TtlCache(Generic[V]):
    """Values by key for `ttl_s`, costly ones longer, up to `max_kept_s`. Who asks while one is computed waits.

    Errors are not kept. But where computing fails with Transient, the value of before is the answer, for up to
    `max_stale_s` after it was computed (0: never); its entry waits for that until others take its place.
    """

    def __init__(
        self, ttl_s: float, max_entries: int = 256, *, max_kept_s: float = MAX_KEPT_S, max_stale_s: float = 0.0
    ) -> None:
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._max_kept_s = max_kept_s
        self._max_stale_s = max_stale_s
        self._entries: dict[Hashable, _Entry[V]] = {}
        self._computing: dict[Hashable, asyncio.Task[_Entry[V]]] = {}
        self._cleared = 0

    async def get(self, key: Hashable, compute: Callable[[], Awaitable[V]]) -> Cached[V]:
        """The value; Transient if it cannot be computed and there is no old one. The key must not contain the time."""
        entry = self._entries.get(key)
        now = monotonic()
        if entry is not None and now < entry.expires:
            return replace(entry.cached, hit=True)
        old = entry if entry is not None and now < entry.computed + self._max_stale_s else None
        if old is not None and now < old.failed + PAUSE_S:
            return replace(old.cached, hit=True, stale=True)
        try:
            return (await self._one_for_all(key, compute)).cached
        except Transient:
            if old is None:
                raise
            return replace(old.cached, hit=True, stale=True)

    def clear(self) -> None:
        """Forgets all values, those as well that are being computed from what was there before."""
        self._entries.clear()
        self._computing.clear()
        self._cleared += 1

    async def _one_for_all(self, key: Hashable, compute: Callable[[], Awaitable[V]]) -> _Entry[V]:
        task = self._computing.get(key)
        if task is None:
            task = asyncio.create_task(self._compute(key, compute))
            self._computing[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        # Shielded: a client that goes away must not cancel what others wait for.
        return await asyncio.shield(task)

    async def _compute(self, key: Hashable, compute: Callable[[], Awaitable[V]]) -> _Entry[V]:
        started_at, cleared = monotonic(), self._cleared
        try:
            value = await compute()
        except Transient:
            if key in self._entries:
                self._entries[key] = replace(self._entries[key], failed=monotonic())
            raise
        now = monotonic()
        kept_s = max(self._ttl_s, min(REST_FACTOR * (now - started_at), self._max_kept_s))
        entry = _Entry(Cached(value, datetime.now(UTC)), now + kept_s, now)
        if cleared != self._cleared:
            return entry
        self._entries.pop(key, None)
        if len(self._entries) >= self._max_entries:
            # At the limit the oldest goes: insertion order is age, since a value is never changed in place.
            del self._entries[next(iter(self._entries))]
        self._entries[key] = entry
        return entry

    def _finished(self, key: Hashable, task: asyncio.Task[_Entry[V]]) -> None:
        if self._computing.get(key) is task:
            del self._computing[key]
        if not task.cancelled():
            task.exception()  # marked as seen, also when every waiter has left
