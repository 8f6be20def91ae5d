"""Posts into the stream, as fast as the workers can follow: the one way in, for ingester and API."""

import time
from collections.abc import Collection, Sequence
from typing import Any

from services.common.cluster import Client, execute, execute_replicated
from services.common.errors import Transient
from services.common.messages import AuthorDeletion, Post, Published, encode_deletion, encode_post
from services.common.publish_traces import publishing
from services.common.shards import stream_of
from services.common.streams import redis_errors, total_state
from services.common.traces import TRACEPARENT

LAG_CHECK_INTERVAL_S = 0.5


class Publisher:
    """Adds posts and deletions to their streams. What it added twice, after a lost answer, the workers store once."""

    def __init__(self, redis: Client, streams: Sequence[str], group: str, max_lag: int, min_replicas: int = 0) -> None:
        """`max_lag`: of all streams together. `min_replicas`: that have to have a post, or it is not published."""
        self._redis = redis
        self._streams = streams
        self._group = group
        self._max_lag = max_lag
        self._min_replicas = min_replicas
        # Since replicas were missing: then a single post finds out whether they are back, not all of them each time.
        self._probing = False
        self._room = 0
        self._checked_at = float("-inf")

    async def publish(self, posts: Sequence[Published]) -> None:
        """One round trip. Transient if Redis is away or lacks replicas: nothing, some or all of them were added."""
        if not posts:
            return
        # Also of posts that are not added in the end: better too little room until the next look than too much.
        self._room -= len(posts)
        targets = [stream_of(_key(post).encode(), self._streams) for post in posts]
        entries: list[dict[Any, Any]] = [
            dict(encode_post(post) if isinstance(post, Post) else encode_deletion(post)) for post in posts
        ]
        with publishing(targets, posts) as traced, redis_errors():
            for place, traceparent in traced.items():
                entries[place][TRACEPARENT] = traceparent
            if self._probing:
                await self._add(dict(zip(targets, entries, strict=True)).items())
            await self._add(list(zip(targets, entries, strict=True)))

    async def _add(self, entries: Collection[tuple[str, dict[Any, Any]]]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for stream, fields in entries:
                # No MAXLEN: it drops entries that no worker has seen. The workers trim what they have processed.
                pipeline.xadd(stream, fields)
            if not self._min_replicas:
                await execute(self._redis, pipeline)
                return
            streams = {stream for stream, _ in entries}
            have = 0
            try:
                have = await execute_replicated(self._redis, pipeline, streams, self._min_replicas)
            finally:
                # Not before: others publish meanwhile, and nothing is known to be missing.
                self._probing = have < self._min_replicas
        if have < self._min_replicas:
            raise Transient(f"only {have} of {self._min_replicas} replicas have the posts (REDIS_MIN_REPLICAS)")

    async def has_room(self, count: int) -> bool:
        """Whether `count` posts more keep the stream within its limit of unread ones. Transient if Redis is away."""
        now = time.monotonic()
        if self._room < count or now - self._checked_at > LAG_CHECK_INTERVAL_S:
            state = await total_state(self._redis, self._streams, self._group)
            self._room = self._max_lag - state.lag
            self._checked_at = now
        return self._room >= count


def _key(post: Published) -> str:
    """What says in which stream it belongs. Where an author's posts are does not matter."""
    return post.author if isinstance(post, AuthorDeletion) else post.post_id
