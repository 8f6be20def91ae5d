"""How fast a source may go: a token bucket over the monotonic clock, filled evenly and emptied in bursts."""

import asyncio
import time
from collections.abc import Awaitable, Callable

# At high rates a burst falls due so often: sleeping for every single post would cost more than the posts.
TICK_S = 0.02
# What was missed during a pause (a full stream, a suspended laptop) is made up for this long and no longer.
CATCH_UP_S = 2.0
# Sums of floats come out a little short of a whole token: a sleep for the rest could be too short for any clock.
_ROUNDING = 1e-6


class Pace:
    """Says how many posts are due. The first is due at once, or within a tick at high rates.

    `per_minute` None means as fast as the caller takes them. ValueError where it is not above 0.
    """

    def __init__(
        self,
        per_minute: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if per_minute is not None and not per_minute > 0:
            raise ValueError(f"a rate is more than 0 posts per minute, not {per_minute}")
        self._clock = clock
        self._sleep = sleep
        self._per_second = None if per_minute is None else per_minute / 60.0
        self._tokens = 1.0
        self._filled_at_s = clock()

    async def due(self, limit: int) -> int:
        """Wait until at least one post is due; the number of them, 1 to `limit`, which then count as taken."""
        if self._per_second is None:
            await self._sleep(0)
            return limit
        burst = min(float(limit), max(1.0, self._per_second * TICK_S))
        self._fill(self._per_second)
        if self._tokens >= burst - _ROUNDING:
            # Nobody else on the loop would run if a source that is behind its rate never gave way.
            await self._sleep(0)
        while self._tokens < burst - _ROUNDING:
            await self._sleep((burst - self._tokens) / self._per_second)
            self._fill(self._per_second)
        taken = min(limit, int(self._tokens + _ROUNDING))
        self._tokens -= taken
        return taken

    def take(self, wanted: int) -> int:
        """How many of so many are due now, without waiting; they count as taken."""
        if self._per_second is None:
            return wanted
        self._fill(self._per_second)
        taken = min(wanted, int(self._tokens + _ROUNDING))
        self._tokens -= taken
        return taken

    def _fill(self, per_second: float) -> None:
        now_s = self._clock()
        earned = (now_s - self._filled_at_s) * per_second
        # A token more than the catch-up, so that slow rates keep the fraction of a post they have earned.
        self._tokens = min(self._tokens + earned, 1.0 + per_second * CATCH_UP_S)
        self._filled_at_s = now_s
