"""Redis: every key in one place, and what the stream and its consumer group are asked."""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

from services.common.cluster import Client, ClusterClient
from services.common.connections import mended
from services.common.errors import ConfigurationError, Transient, UndertoneError

REDIS = "Redis"
RESULTS_CHANNEL = "sentiment_updates"
CONNECT_TIMEOUT_S = 5.0
# Longer than any blocking read: a server that stalls is noticed, a quiet stream is not taken for one.
SOCKET_TIMEOUT_S = 10.0


class NoGroup(Transient):
    """Redis has lost the consumer group, or the stream; a worker that reads creates both again."""


def dead_letter_stream(stream: str) -> str:
    return f"{stream}:dead"


@asynccontextmanager
async def open_redis(dsn: str) -> AsyncIterator[Redis]:
    """A client of one server that speaks bytes; retries are the caller's, who knows what may be done twice.

    ConfigurationError if the URL has a value that the client makes nothing of.
    """
    with _url_errors():
        client = Redis.from_url(dsn, **_options())
        pool = client.connection_pool
        pool.connection_class = mended(pool.connection_class)
        pool.connection_class(**pool.connection_kwargs)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def open_client(dsn: str, *, cluster: bool) -> AsyncIterator[Client]:
    """The same of one server, or of the cluster that the server of the URL belongs to."""
    if not cluster:
        async with open_redis(dsn) as redis:
            yield redis
        return
    with _url_errors():
        client = cast(ClusterClient, ClusterClient.from_url(dsn, **_options()))
    try:
        yield client
    finally:
        await client.aclose()


def _options() -> dict[str, Any]:
    return {
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "health_check_interval": 15,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }


@contextmanager
def _url_errors() -> Iterator[None]:
    try:
        yield
    except (ValueError, RedisClusterException) as error:
        raise ConfigurationError(f"{error}; check REDIS_URL") from None
    except TypeError as error:
        raise ConfigurationError(f"REDIS_URL has an option that is not known: {error}") from None


@contextmanager
def redis_errors() -> Iterator[None]:
    """Translates what the client raises: Transient if a later try may succeed, else as it is."""
    try:
        yield
    except (AuthenticationError, NoPermissionError) as error:
        raise ConfigurationError(f"Redis refuses our password or rights: {error}; check REDIS_URL") from error
    except (ConnectionError, TimeoutError, BusyLoadingError, OSError) as error:
        reason = str(error) or type(error).__name__
        # The library keeps of it only the text.
        advice = "; check REDIS_TLS_CA" if "CERTIFICATE_VERIFY_FAILED" in reason else ""
        raise Transient(f"Redis is not reachable: {reason}{advice}", service=REDIS) from error
    except RedisClusterException as error:
        raise _no_cluster(error) from error
    except (OutOfMemoryError, ReadOnlyError, MasterDownError, TryAgainError, ClusterDownError) as error:
        # A full server, or a replica in mid-failover, refuses for now, not for good. The client has taken the code off.
        raise Transient(f"Redis refuses for now: {error}", service=REDIS) from error
    except ResponseError as error:
        if (ours := _refusal(error)) is None:
            raise
        raise ours from error
    except RedisError as error:
        raise Transient(f"Redis: {error}", service=REDIS) from error


def _refusal(error: ResponseError) -> UndertoneError | None:
    """Ours for what the server said; None where nobody could do anything about it."""
    if isinstance(error, MovedError):
        return ConfigurationError("this Redis is a node of a cluster; set REDIS_CLUSTER=true")
    # The client puts words of its own before them when it was a command of a pipeline.
    said = str(error).rpartition("of pipeline caused error: ")[2].lstrip("('\"")
    # "BUSY ": a script runs for long. The space tells it from BUSYGROUP. A node that is no master any more ends what is
    # blocked, and waits for no replicas.
    if said.startswith(("MISCONF", "NOREPLICAS", "BUSY ", "UNBLOCKED", "WAIT cannot")):
        return Transient(f"Redis refuses for now: {error}", service=REDIS)
    if said.startswith(("NOGROUP", "no such key")):
        return NoGroup(f"Redis lost the consumer group: {error}", service=REDIS)
    return None


def _no_cluster(error: RedisClusterException) -> UndertoneError:
    # The cause is what the last node that could be asked has said.
    if isinstance(error.__cause__, AuthenticationError | NoPermissionError):
        return ConfigurationError(f"Redis refuses our password or rights: {error}; check REDIS_URL")
    if "Cluster mode is not enabled" in str(error):
        return ConfigurationError("this Redis is no cluster; check REDIS_URL and REDIS_CLUSTER")
    return Transient(f"Redis is not reachable: {error}", service=REDIS)


@dataclass(frozen=True)
class GroupState:
    """A consumer group in numbers. `lag`: entries that no worker has read; `pending`: read, not acknowledged."""

    lag: int
    pending: int
    consumers: int


async def ensure_group(redis: Client, stream: str, group: str) -> None:
    """Creates stream and group where they are missing. It reads from the first entry: `$` would lose what is there."""
    with redis_errors():
        try:
            await redis.xgroup_create(stream, group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise


async def ensure_groups(redis: Client, streams: Sequence[str], group: str) -> None:
    """In every shard."""
    for stream in streams:
        await ensure_group(redis, stream, group)


async def group_state(redis: Client, stream: str, group: str) -> GroupState:
    """The group's numbers; a stream or group that does not exist yet has none of anything, lag being its length.

    Redis cannot count the lag after entries were deleted from the middle (it answers nil); the length is then an upper
    bound, and back-pressure errs on the safe side.
    """
    try:
        with redis_errors():
            for info in await redis.xinfo_groups(stream):
                if info["name"] == group.encode():
                    lag = info.get("lag")
                    lag = await redis.xlen(stream) if lag is None else lag
                    return GroupState(lag=int(lag), pending=int(info["pending"]), consumers=int(info["consumers"]))
            return GroupState(lag=int(await redis.xlen(stream)), pending=0, consumers=0)
    except NoGroup:
        return GroupState(lag=0, pending=0, consumers=0)


async def total_state(redis: Client, streams: Sequence[str], group: str) -> GroupState:
    """The sums over all shards. A worker counts in every shard that it reads."""
    return summed(await group_states(redis, streams, group))


async def group_states(redis: Client, streams: Sequence[str], group: str) -> list[GroupState]:
    """That of each."""
    return [await group_state(redis, stream, group) for stream in streams]


def summed(states: Sequence[GroupState]) -> GroupState:
    return GroupState(
        lag=sum(state.lag for state in states),
        pending=sum(state.pending for state in states),
        consumers=sum(state.consumers for state in states),
    )


async def oldest_pending_s(redis: Client, stream: str, group: str) -> float:
    """How long ago the oldest entry that is read and not acknowledged came into the stream; 0 where there is none."""
    try:
        with redis_errors():
            oldest = (await redis.xpending(stream, group))["min"]
    except NoGroup:
        return 0.0
    if oldest is None:
        return 0.0
    # Its name begins with the time by Redis' clock, which need not be ours.
    return max(time.time() - int(oldest.partition(b"-")[0]) / 1_000, 0.0)


# Gives the number of entries that it removed. In one step: between two commands the group may be lost and made again,
# and would have nothing pending of all that it is going to give once more.
_TRIM = """
local oldest, oldest_ms, oldest_number
for _, facts in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for at = 1, #facts, 2 do group[facts[at]] = facts[at + 1] end
  local keep, step = group['last-delivered-id'], 1
  if group['pending'] > 0 then keep, step = redis.call('XPENDING', KEYS[1], group['name'])[2], 0 end
  local ms, number = string.match(keep, '(%d+)-(%d+)')
  ms, number = tonumber(ms), tonumber(number) + step
  if not oldest or ms < oldest_ms or (ms == oldest_ms and number < oldest_number) then
    oldest, oldest_ms, oldest_number = string.format('%.0f-%.0f', ms, number), ms, number
  end
end
return oldest and redis.call('XTRIM', KEYS[1], 'MINID', oldest) or 0
"""


async def trim_processed(redis: Client, stream: str) -> int:
    """Removes what every group has read and acknowledged, never an unread or pending entry; how many it removed."""
    with redis_errors():
        return int(await redis.register_script(_TRIM)(keys=[stream]))
