"""What is kept of sources in Redis: how each is doing, how far it was read, and whether it is switched off.

Three hashes, each with a field for every source: `<stream>:sources` and `<stream>:positions` are the ingester's,
`<stream>:switches` is the API's. A source of an ingester that has a name is `name/source` in all of them.
"""

from collections.abc import Awaitable, Collection, Iterable, Sequence
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
    it could not give what was missed. `skipped`: by reason, what was not wanted; `rejected`: by rule. `waiting`: for
    workers that are behind. `ended`: it has no more posts, or cannot go on. `run`: of which process this is.
    `updated_s`: an ingester that lives says so every second.

    What has a default is not in the states that a version before has written.
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
    on: bool = True
    waiting: bool = False
    ended: bool = False
    posts_per_s: float = 0.0
    rejected: dict[str, Count] = {}
    rate_per_minute: float | None = None
    run: str = ""


# The one value of a switch: one that is on is not there.
OFF = b"off"

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(SourceState)


class SourceStore:
    """Of the sources that feed one stream, or its shards. Every call: Transient if Redis is away or full."""

    def __init__(self, redis: Client, stream: str, ingester: str = "") -> None:
        """`stream`: its name without a shard. `ingester`: the name of the one that has these sources, if any."""
        self._redis = redis
        self._states = f"{stream}:sources"
        self._positions = f"{stream}:positions"
        self._switches = f"{stream}:switches"
        self._prefix = f"{ingester}/" if ingester else ""

    async def write_states(self, states: Iterable[SourceState]) -> None:
        named = [msgspec.structs.replace(state, name=self._prefix + state.name) for state in states]
        encoded: dict[Any, Any] = {state.name: _encoder.encode(state) for state in named}
        with redis_errors():
            await self._redis.hset(self._states, mapping=encoded)

    async def read_states(self) -> Sequence[SourceState]:
        """Of all sources that were ever started, by name; what another version wrote, and is none, is left out."""
        with redis_errors():
            raw = await cast(Awaitable[dict[bytes, bytes]], self._redis.hgetall(self._states))
        return sorted(_decoded(raw.values()), key=lambda state: state.name)

    async def read_runs(self, sources: Collection[str]) -> set[str]:
        """Which processes have written the states of these sources last."""
        return {state.run for state in _decoded(await self._read(self._states, sources)) if state.run}

    async def write_position(self, source: str, position: str) -> None:
        with redis_errors():
            await self._redis.hset(self._positions, self._prefix + source, position)

    async def read_position(self, source: str) -> str | None:
        """None: it was never read."""
        (raw,) = await self._read(self._positions, [source])
        return None if raw is None else raw.decode("utf-8", "replace")

    async def switch(self, source: str, *, on: bool) -> None:
        """It stays so until it is switched again, whoever is started meanwhile."""
        with redis_errors():
            if on:
                await self._redis.hdel(self._switches, self._prefix + source)
            else:
                await self._redis.hset(self._switches, self._prefix + source, OFF)

    async def switched_off(self, sources: Collection[str]) -> set[str]:
        """Those of the sources that are to give nothing."""
        found = await self._read(self._switches, sources)
        return {source for source, raw in zip(sources, found, strict=True) if raw is not None}

    async def _read(self, key: str, sources: Collection[str]) -> list[bytes | None]:
        if not sources:
            return []
        with redis_errors():
            fields = [self._prefix + source for source in sources]
            return await cast(Awaitable[list[bytes | None]], self._redis.hmget(key, fields))


def _decoded(raw: Iterable[bytes | None]) -> list[SourceState]:
    states = []
    for value in raw:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            states.append(_decoder.decode(value or b""))
    return states
