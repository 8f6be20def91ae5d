"""Raw entries beside the ingester's: good ones, bad ones, the same ones again, and others under a known id."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import cycle, islice
from typing import Any

import msgspec
from redis.asyncio import Redis

from services.common.messages import Post, encode_post
from tests.chaos.malformed import bad_entries
from tests.chaos.recording import make_posts
from tests.chaos.scene import DATABASE_ERRORS, STREAM, persist
from tests.chaos.truth import Truth

Fields = Mapping[bytes, bytes]

TICK_S = 0.1
CHUNK_ENTRIES = 500
CONTRADICTION_INTERVAL_S = 0.5
# What was missed while Redis was away is made up for so long, and no longer.
CATCH_UP_S = 2.0
# Of a thousand entries; the others are new posts.
BAD, AGAIN, OTHER_CONTENT, ALIASED = 20, 20, 10, 20
ENTRIES_PER_BAD_ONE = 100
# Posts that may be offered again, or with other content.
REMEMBERED = 2_000
LIVE = "live"


class Producer:
    """Adds to the stream, and to `truth` before. New posts carry the time at which they were made (`source` LIVE).

    What Redis does not confirm is added again: twice in the stream, it must be stored once.
    """

    def __init__(self, redis: Redis, truth: Truth, seed: int, is_stored: Callable[[str], Awaitable[bool]]) -> None:
        self._redis = redis
        self._truth = truth
        self._seed = seed
        self._chance = random.Random(seed)
        self._is_stored = is_stored
        self._live = make_posts(seed + 1, f"live{seed}", LIVE)
        self._flood = make_posts(seed + 2, f"flood{seed}", "flood")
        # More than anybody will ever take.
        self._bad = cycle(bad_entries(5_000, f"raw{seed}"))
        self._recent: deque[Post] = deque(maxlen=REMEMBERED)
        self.posts = 0

    async def run(self, rate: float, enough: Callable[[], bool]) -> None:
        """`rate` entries a second until `enough`."""
        due, filled_at = 0.0, time.monotonic()
        while not enough():
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            due = min(due + (now - filled_at) * rate, rate * CATCH_UP_S)
            filled_at = now
            entries = [entry for _ in range(int(due)) for entry in self._entry()]
            due -= int(due)
            await self._add(entries)

    async def contradict(self, enough: Callable[[], bool]) -> None:
        """Offers other content for posts that are stored already, now and then: it must change nothing."""
        chance = random.Random(self._seed)
        while not enough():
            await asyncio.sleep(CONTRADICTION_INTERVAL_S)
            if not self._recent:
                continue
            post = chance.choice(self._recent)
            try:
                stored = await self._is_stored(post.post_id)
            except DATABASE_ERRORS:
                continue
            if stored:
                await self._add([_fields(_other(post))])

    async def flood(self, count: int) -> None:
        """So many entries at once, bad ones among them."""
        posts = list(islice(self._flood, count))
        self._truth.offer(posts)
        self.posts += len(posts)
        entries = [_fields(post) for post in posts]
        entries += [self._bad_one() for _ in range(max(1, count // ENTRIES_PER_BAD_ONE))]
        self._chance.shuffle(entries)
        for first in range(0, len(entries), CHUNK_ENTRIES):
            await self._add(entries[first : first + CHUNK_ENTRIES])

    def _entry(self) -> list[Fields]:
        dice = self._chance.randrange(1_000)
        if dice < BAD:
            bad = self._bad_one()
            # Half of them twice.
            return [bad] * self._chance.choice((1, 2))
        if dice < BAD + AGAIN and self._recent:
            return [_fields(self._chance.choice(self._recent))]
        post = msgspec.structs.replace(next(self._live), created_at=datetime.now(UTC))
        self.posts += 1
        if dice < BAD + AGAIN + OTHER_CONTENT:
            both = [post, _other(post)]
            self._truth.offer(both)
            return [_fields(each) for each in both]
        self._truth.offer([post])
        self._recent.append(post)
        if dice < BAD + AGAIN + OTHER_CONTENT + ALIASED:
            return [{_ALIASES.get(name, name): value for name, value in _fields(post).items()}]
        return [_fields(post)]

    def _bad_one(self) -> Fields:
        fields, letter = next(self._bad)
        self._truth.letters.add(letter)
        return fields

    async def _add(self, entries: Sequence[Fields]) -> None:
        async def add() -> None:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for fields in entries:
                    pipeline.xadd(STREAM, dict[Any, Any](fields))
                await pipeline.execute()

        if entries:
            await persist(add)


_ALIASES = {b"source": b"platform", b"content": b"text"}


def _fields(post: Post) -> Fields:
    return {name.encode(): value.encode() for name, value in encode_post(post).items()}


def _other(post: Post) -> Post:
    return msgspec.structs.replace(post, content=f"{post.content}, but another", author="another")
