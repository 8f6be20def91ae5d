"""Leases and the workers that live, in Redis."""

from collections.abc import Sequence

from services.common.cluster import Client
from services.common.shards import lease, registry
from services.common.streams import redis_errors

# A worker that has not been heard of for so long is dead, and its shards are free.
LEASE_MS = 5_000

# ARGV: the worker, for how many milliseconds it lives. By Redis' clock: those of the workers may differ.
_REGISTER = """
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_ms)
redis.call('ZADD', KEYS[1], now_ms + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""

# ARGV: the worker, and for how many milliseconds. Also where the lease has expired and nobody has taken it.
_RENEW = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


class Leases:
    """One worker's view of them. Transient if Redis is away, as of all that it asks."""

    def __init__(self, redis: Client, stream: str, worker: str, *, lease_ms: int = LEASE_MS) -> None:
        """`stream`: the name without a shard."""
        self._redis = redis
        self._registry = registry(stream)
        self._worker = worker
        self._lease_ms = lease_ms

    async def register(self) -> Sequence[str]:
        """Says that this worker lives; the names of all that do."""
        with redis_errors():
            names = await self._redis.register_script(_REGISTER)(
                keys=[self._registry], args=[self._worker, self._lease_ms]
            )
        return [name.decode() for name in names]

    async def unregister(self) -> None:
        """The others share what was this worker's from now on."""
        with redis_errors():
            await self._redis.zrem(self._registry, self._worker)

    async def take(self, stream: str) -> bool:
        """Whether the shard was free, and is this worker's now."""
        with redis_errors():
            return bool(await self._redis.set(lease(stream), self._worker, nx=True, px=self._lease_ms))

    async def renew(self, stream: str) -> bool:
        """False if another worker has it."""
        with redis_errors():
            renewed = await self._redis.register_script(_RENEW)(
                keys=[lease(stream)], args=[self._worker, self._lease_ms]
            )
        return bool(renewed)

    async def release(self, stream: str) -> None:
        with redis_errors():
            await self._redis.register_script(_RELEASE)(keys=[lease(stream)], args=[self._worker])
