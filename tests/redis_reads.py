"""Stream reads with the types that our clients give (bytes): the library's own cover every protocol at once."""

from typing import Any

from services.common.cluster import Client


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
