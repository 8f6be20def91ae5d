"""Posts into the stream, as fast as the workers can follow."""

import time
from collections.abc import Sequence
from typing import Any

from prometheus_client import Counter, Gauge
from redis.asyncio import Redis

from services.common.logging import get_logger
from services.common.messages import Post, encode_post
from services.common.streams import group_state, redis_errors
from services.common.traces import TRACEPARENT
from services.ingester.post_traces import publishing

log = get_logger(__name__)

PUBLISHED = Counter("undertone_ingester_posts_published_total", "Posts added to the stream")
REFUSED = Counter("undertone_ingester_posts_refused_total", "What the source had and was no post", ["reason"])
HEARTBEAT = Gauge("undertone_ingester_heartbeat_timestamp_seconds", "When the event loop last ran")
HELD_BACK = Gauge("undertone_ingester_held_back", "1 while the ingester waits for the workers to catch up")

LAG_CHECK_INTERVAL_S = 0.5


class Publisher:
    """Adds posts to the stream. What it added twice, after a lost answer, the workers store once."""

    def __init__(self, redis: Redis, stream: str, group: str, max_lag: int) -> None:
        self._redis = redis
        self._stream = stream
        self._group = group
        self._max_lag = max_lag
        self._room = 0
        self.published = 0
        self._checked_at = float("-inf")

    async def publish(self, posts: Sequence[Post]) -> None:
        """One round trip. Transient if Redis is away: nothing, some or all of them were added."""
        if not posts:
            return
        entries: list[dict[Any, Any]] = [dict(encode_post(post)) for post in posts]
        with publishing(self._stream, posts) as traced, redis_errors():
            for place, traceparent in traced.items():
                entries[place][TRACEPARENT] = traceparent
            async with self._redis.pipeline(transaction=False) as pipeline:
                for fields in entries:
                    # No MAXLEN: it drops entries that no worker has seen. The workers trim what they have processed.
                    pipeline.xadd(self._stream, fields)
                await pipeline.execute()
        self._room -= len(posts)
        PUBLISHED.inc(len(posts))
        self.published += len(posts)

    async def has_room(self, count: int) -> bool:
        """Whether `count` posts more keep the stream within its limit of unread ones. Transient if Redis is away."""
        now = time.monotonic()
        if self._room < count or now - self._checked_at > LAG_CHECK_INTERVAL_S:
            state = await group_state(self._redis, self._stream, self._group)
            self._room = self._max_lag - state.lag
            self._checked_at = now
        HELD_BACK.set(self._room < count)
        return self._room >= count
