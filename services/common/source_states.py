"""What the ingester keeps of its sources in Redis: how each is doing, and how far each was read.

Two hashes, each with a field for every source: `<stream>:sources` and `<stream>:positions`.
"""

from collections.abc import Awaitable, Iterable, Sequence
from contextlib import suppress
from typing import Annotated, Any, cast

import msgspec

from services.common.cluster import Client
from services.common.streams import redis_errors

Seconds = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """Of one source, since its ingester was started; times are seconds since the epoch.

    `behind_s`: how old the newest event was when it came, or is, where the source is not connected. `gaps`: times that
    it could not give what was missed. `skipped`: by reason, what was not wanted. `updated_s`: an ingester that lives
    says so every second.
    """

    name: str
    connected: bool
    behind_s: Seconds | None
    last_post_s: Seconds | None
    posts: Count
    errors: Count
    gaps: Count
    skipped: dict[str, Count]
    last_error: str
    updated_s: Seconds


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(SourceState)


class SourceStore:
    """Of the sources that feed one stream, or its shards. Every call: Transient if Redis is away or full."""

    def __init__(self, redis: Client, stream: str) -> None:
        """`stream`: its name without a shard."""
        self._redis = redis
        self._states = f"{stream}:sources"
        self._positions = f"{stream}:positions"

    async def write_states(self, states: Iterable[SourceState]) -> None:
        encoded: dict[Any, Any] = {state.name: _encoder.encode(state) for state in states}
        with redis_errors():
            await self._redis.hset(self._states, mapping=encoded)

    async def read_states(self) -> Sequence[SourceState]:
        """Of all sources that were ever started, by name; what another version wrote, and is none, is left out."""
        with redis_errors():
            raw = await cast(Awaitable[dict[bytes, bytes]], self._redis.hgetall(self._states))
        states = []
        for value in raw.values():
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                states.append(_decoder.decode(value))
        return sorted(states, key=lambda state: state.name)

    async def write_position(self, source: str, position: str) -> None:
        with redis_errors():
            await self._redis.hset(self._positions, source, position)

    async def read_position(self, source: str) -> str | None:
        """None: it was never read."""
        with redis_errors():
            raw = await cast(Awaitable[bytes | None], self._redis.hget(self._positions, source))
        return None if raw is None else raw.decode("utf-8", "replace")
