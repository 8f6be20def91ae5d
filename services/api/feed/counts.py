"""The numbers above the live feed: computed once for all browsers."""

import asyncpg

from services.api.cache import TtlCache
from services.api.feed import frames
from services.api.feed.broadcast import Broadcaster
from services.api.queries.totals import count_windows

INTERVAL_S = 5.0


class LiveCounts:
    """`metrics_update` frames. Nothing is counted while nobody watches."""

    def __init__(self, pool: asyncpg.Pool, broadcaster: Broadcaster) -> None:
        self._pool = pool
        self._broadcaster = broadcaster
        # A little less than the interval, so that each turn counts anew unless somebody has just come.
        self._frames = TtlCache[str](0.9 * INTERVAL_S, max_entries=1)

    async def publish(self) -> None:
        """Sends the counts to everybody. Transient if the database is away: the next turn tries again."""
        if self._broadcaster.has_clients:
            self._broadcaster.publish_counts(await self.latest())

    async def latest(self) -> str:
        """The frame for a browser that has just come; of many that come at once, one counts."""
        return (await self._frames.get((), self._count)).value

    async def _count(self) -> str:
        return frames.metrics_update(await count_windows(self._pool))
