"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a request that is sent again has the same answer.

Of a request only the fingerprint of its body is kept: the answer follows from the body, and nothing is published. The
newest MAX_KEYS of the last day, in a hash and a sorted set beside the (first) stream.
"""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256

from services.api.web.protocols import UPLOAD_TIMEOUT_S
from services.common.cluster import Client
from services.common.errors import Transient, UndertoneError
from services.common.logging import get_logger
from services.common.streams import redis_errors

log = get_logger(__name__)

KEPT_S = 86_400
# Some 25 MB.
MAX_KEYS = 100_000
# Longer than a request takes; then whoever has the key is dead.
LEASE_S = 2 * int(UPLOAD_TIMEOUT_S)

# Gives "done <fingerprint>" or "work <until> <token>" of the request that has the key, or takes it and gives nothing.
_CLAIM = """
local now = tonumber(redis.call('TIME')[1])
local old = redis.call('ZRANGE', KEYS[2], '-inf', now - ARGV[3], 'BYSCORE', 'LIMIT', 0, 100)
if #old > 0 then
  redis.call('HDEL', KEYS[1], unpack(old))
  redis.call('ZREM', KEYS[2], unpack(old))
end
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then
  local ends = string.match(known, '^work (%d+)')
  local since = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]))
  if since > now - ARGV[3] and (not ends or tonumber(ends) > now) then return known end
end
redis.call('HSET', KEYS[1], ARGV[1], 'work ' .. (now + ARGV[4]) .. ' ' .. ARGV[2])
redis.call('ZADD', KEYS[2], now, ARGV[1])
local over = redis.call('ZCARD', KEYS[2]) - ARGV[5]
if over > 0 then
  local popped = redis.call('ZPOPMIN', KEYS[2], over)
  for at = 1, #popped, 2 do redis.call('HDEL', KEYS[1], popped[at]) end
end
return false
"""
# Keeps the fingerprint, or gives the key back; nothing if somebody else has it by now.
_SETTLE = """
local known = redis.call('HGET', KEYS[1], ARGV[1])
if not known or string.match(known, '^work %d+ (.+)$') ~= ARGV[2] then return 0 end
if ARGV[3] ~= '' then return redis.call('HSET', KEYS[1], ARGV[1], 'done ' .. ARGV[3]) end
redis.call('HDEL', KEYS[1], ARGV[1])
return redis.call('ZREM', KEYS[2], ARGV[1])
"""


class AtWork(UndertoneError):
    """A request with the same key has not ended."""


class Reused(UndertoneError):
    """The key was that of a request with another body."""


class Claim:
    """A key that is this request's, or was that of an equal one before: then `is_repeat`, and nothing is to be done."""

    def __init__(self, known: str | None = None) -> None:
        self._known = known
        self.fingerprint = ""

    @property
    def is_repeat(self) -> bool:
        return self._known is not None

    def settle(self, fingerprint: str) -> None:
        """The body was read and all is done. Reused if it is another one than before."""
        if self._known not in (None, fingerprint):
            raise Reused("the key had another body before")
        self.fingerprint = fingerprint


class Repeats:
    def __init__(self, redis: Client, streams: Sequence[str]) -> None:
        self._redis = redis
        self._keys = [f"{streams[0]}:idempotency", f"{streams[0]}:idempotency:since"]

    @asynccontextmanager
    async def claim(self, caller: str, key: str | None) -> AsyncIterator[Claim]:
        """Holds the caller's key, if they sent one; it is free again if the request fails, and kept if it was settled.

        AtWork, and Transient if Redis is away.
        """
        if key is None:
            yield Claim()
            return
        name = sha256(f"{caller}\n{key}".encode()).hexdigest()[:32]
        token = secrets.token_hex(8)
        with redis_errors():
            script = self._redis.register_script(_CLAIM)
            found = await script(self._keys, [name, token, KEPT_S, LEASE_S, MAX_KEYS])
        state, _, fingerprint = (found or b"").decode().partition(" ")
        if state == "work":
            raise AtWork("a request with the same key is at work")
        claim = Claim(fingerprint or None)
        try:
            yield claim
        except BaseException:
            if not claim.is_repeat:
                await self._give_back(name, token)
            raise
        if not claim.is_repeat:
            await self._settle(name, token, claim.fingerprint)

    async def _give_back(self, name: str, token: str) -> None:
        try:
            await self._settle(name, token, "")
        except Transient as error:
            log.warning("a key of a failed request stays taken", for_s=LEASE_S, error=str(error))

    async def _settle(self, name: str, token: str, fingerprint: str) -> None:
        with redis_errors():
            await self._redis.register_script(_SETTLE)(self._keys, [name, token, fingerprint])
