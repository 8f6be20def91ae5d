"""What arrived on the results channel: how many posts, how long they took to here, and when each was pushed."""

import time
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from services.api.metrics import ApiMetrics
from services.api.statistics.latency import Latencies
from services.common.messages import ResultsMessage
from services.common.moments import EPOCH, MILLISECOND

# Posts of which the moment is known: so many of the newest at least, twice as many at most (3 MB). Of older ones it is
# forgotten.
REMEMBERED_POSTS = 10_000


class Slice(NamedTuple):
    """The posts of a few seconds. `latencies`: from their arrival in the stream, of those that say when that was."""

    posts: int
    latencies: Latencies


class Arrivals:
    """Counts every post, whether the live feed shows it or leaves it out of a sample.

    Pushed is a post when this process hands it to its browsers, or would if there were any: what one of them takes to
    receive it is not in there.
    """

    def __init__(self, metrics: ApiMetrics, remembered: int = REMEMBERED_POSTS) -> None:
        self._metrics = metrics
        self._remembered = remembered
        self._newer: dict[str, float] = {}
        self._older: dict[str, float] = {}
        self._posts = 0
        self._latencies = Latencies()

    def note(self, message: ResultsMessage) -> None:
        """To be called when the message has been handed on."""
        now_ms = time.time() * 1_000
        if len(self._newer) >= self._remembered:
            self._older, self._newer = self._newer, {}
        self._posts += len(message.posts)
        for analysed in message.posts:
            self._newer[analysed.post.post_id] = now_ms
            if analysed.queued_ms is not None:
                # By two clocks, Redis's and ours: nothing takes less than no time.
                latency_ms = max(0.0, now_ms - analysed.queued_ms)
                self._latencies.add(latency_ms)
                self._metrics.post_seconds.observe(latency_ms / 1_000)

    def forget(self, post_ids: Iterable[str]) -> None:
        """Posts that were deleted."""
        for post_id in post_ids:
            self._newer.pop(post_id, None)
            self._older.pop(post_id, None)

    def take(self) -> Slice:
        """What came since the last call."""
        taken = Slice(self._posts, self._latencies)
        self._posts, self._latencies = 0, Latencies()
        return taken

    def pushed_at(self, post_id: str) -> datetime | None:
        """None where it was not, or not by this process, or too many posts ago."""
        pushed_ms = self._newer.get(post_id) or self._older.get(post_id)
        return EPOCH + pushed_ms * MILLISECOND if pushed_ms is not None else None
