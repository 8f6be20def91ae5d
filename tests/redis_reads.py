"""Stream reads with the types that our clients give (bytes): the library's own cover every protocol at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from services.common.background import in_background
from services.common.cluster import Client
from services.common.settings import Settings
from services.common.streams import total_state


async def entries(redis: Client, stream: str) -> list[dict[bytes, bytes]]:
    """The fields of every entry, oldest first."""
    answer: Any = await redis.xrange(stream)
    return [fields for _, fields in answer]


async def entry_ids(redis: Client, stream: str) -> list[bytes]:
    """The id of every entry, oldest first."""
    answer: Any = await redis.xrange(stream)
    return [entry for entry, _ in answer]


async def read_group(redis: Client, stream: str, group: str, consumer: str, count: int, **options: Any) -> list[bytes]:
    """Ids of up to `count` new entries, read for `consumer`."""
    answer: Any = await redis.xreadgroup(group, consumer, {stream: ">"}, count=count, **options)
    return [entry for _, found in answer or () for entry, _ in found]


@asynccontextmanager
async def watched_lag(redis: Client, settings: Settings) -> AsyncIterator[list[int]]:
    """How many posts wait unread, looked at again and again while the block runs."""
    seen: list[int] = []

    async def look() -> None:
        while True:
            seen.append((await total_state(redis, settings.streams, settings.redis_consumer_group)).lag)
            await asyncio.sleep(0.005)

    async with in_background(look=look()):
        yield seen
