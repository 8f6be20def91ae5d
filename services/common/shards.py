"""One stream or several: which there are, and which of them a post goes to."""

import re
from collections.abc import Sequence
from zlib import crc32

MAX_SHARDS = 64
_TAGGED = re.compile(r"[^{]*\{[^}]+\}")


def has_hash_tag(key: str) -> bool:
    """Whether Redis Cluster hashes only a part of the key, that in its first braces."""
    return _TAGGED.match(key) is not None


def shard_streams(stream: str, shards: int) -> tuple[str, ...]:
    """`<stream>:{0}`, `<stream>:{1}`, …; a single one has the plain name.

    The number in braces is what Redis Cluster hashes: all keys of a shard are in one slot, those of another in another.
    """
    return (stream,) if shards == 1 else tuple(f"{stream}:{{{shard}}}" for shard in range(shards))


def stream_of(post_id: bytes, streams: Sequence[str]) -> str:
    """Where a post belongs: CRC-32 of its id, modulo the number of shards. Any producer can do the same."""
    return streams[crc32(post_id) % len(streams)]


def lease(stream: str) -> str:
    """The key that says which worker reads the shard."""
    return f"{stream}:lease"


def registry(stream: str) -> str:
    """The workers that live; by the name without a shard."""
    return f"{stream}:workers"
