"""Posts into the stream, as fast as the workers can follow: the one way in, for ingester and API."""

import asyncio
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from services.common.cluster import Client, execute_replicated
from services.common.errors import Transient
from services.common.messages import AuthorDeletion, Post, Published, encode_deletion, encode_post
from services.common.publish_traces import publishing
from services.common.shards import stream_of
from services.common.streams import redis_errors, total_state
from services.common.traces import TRACEPARENT

LAG_CHECK_INTERVAL_S = 0.5
# Entries in one call of the script: a millisecond in which the server does nothing else.
MAX_AT_ONCE = 500
# ARGV: of each entry the number of its words, and these. A command for each would cost the client three times as much:
# in words around them, and in answers to read. No MAXLEN: it drops entries that no worker has seen. The workers trim
# what they have processed.
_ADD = """
local at = 1
while at <= #ARGV do
  local last = at + ARGV[at]
  redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 1, last))
  at = last + 1
end
"""


class Publisher:
    """Adds posts and deletions to their streams. What it added twice, after a lost answer, the workers store once."""

    def __init__(self, redis: Client, streams: Sequence[str], group: str, max_lag: int, min_replicas: int = 0) -> None:
        """`max_lag`: of all streams together. `min_replicas`: that have to have a post, or it is not published."""
        self._redis = redis
        self._streams = streams
        self._group = group
        self._max_lag = max_lag
        self._min_replicas = min_replicas
        self._script = redis.register_script(_ADD)
        # Since replicas were missing: then a single post finds out whether they are back, not all of them each time.
        self._probing = False
        self._room = 0
        self._checked_at = float("-inf")

    async def publish(self, posts: Sequence[Published]) -> None:
        """Transient if Redis is away or lacks replicas: nothing, some or all of them were added."""
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
                await self._add_replicated(dict(zip(targets, entries, strict=True)).items())
            pairs = list(zip(targets, entries, strict=True))
            if self._min_replicas:
                await self._add_replicated(pairs)
                return
            for start in range(0, len(pairs), MAX_AT_ONCE):
                await self._add(pairs[start : start + MAX_AT_ONCE])

    async def _add(self, entries: Iterable[tuple[str, dict[Any, Any]]]) -> None:
        words: dict[str, list[Any]] = {}
        for stream, fields in entries:
            of_stream = words.setdefault(stream, [])
            of_stream.append(2 * len(fields))
            for pair in fields.items():
                of_stream += pair
        # All have answered before one of them fails: nothing is added behind the back of who tries again.
        outcomes = await asyncio.gather(
            *(self._script([stream], of_stream) for stream, of_stream in words.items()), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _add_replicated(self, entries: Collection[tuple[str, dict[Any, Any]]]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for stream, fields in entries:
                pipeline.xadd(stream, fields)
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
