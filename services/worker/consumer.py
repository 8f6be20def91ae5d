"""The consumer group's side of the stream: what is to be done next, and what is done."""

import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.common.errors import Transient
from services.common.logging import get_logger
from services.common.streams import RESULTS_CHANNEL, ensure_group, is_no_group, redis_errors

log: structlog.typing.FilteringBoundLogger = get_logger(__name__)

# A consumer that has read nothing for so long, and holds nothing, belongs to a worker that is gone.
FORGET_CONSUMER_AFTER_MS = 3_600_000


@dataclass(frozen=True)
class Entry:
    """A stream entry as it was read."""

    stream_id: str
    fields: Mapping[bytes, bytes]

    @property
    def added_at(self) -> float:
        """When it was added, by Redis's clock; seconds since the epoch."""
        return int(self.stream_id.partition("-")[0]) / 1_000


def consumer_name() -> str:
    """`worker-<host>-<pid>-<random>`: in containers every pid is 1, so host and pid alone are not unique."""
    return f"worker-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


class Consumer:
    """One consumer of the group. Reads what dead workers left behind before it reads what is new."""

    def __init__(self, redis: Redis, stream: str, group: str, *, count: int, block_ms: int, claim_idle_ms: int) -> None:
        self.name = consumer_name()
        self._redis = redis
        self._stream = stream
        self.group = group
        self._count = count
        self._block_ms = block_ms
        self._claim_idle_ms = claim_idle_ms
        self._claim_cursor = "0-0"
        self._next_claim_at = 0.0
        # Read and not yet acknowledged. Waiting for a dependency they may become idle, but nobody has to take them over
        # from this very process.
        self._in_hand: set[str] = set()

    async def read(self) -> list[Entry]:
        """Up to `count` entries: taken over from the dead, else new ones; none if nothing came in `block_ms`.

        Transient if Redis is away, or has lost the group, which is then created again for the next call.
        """
        try:
            with redis_errors():
                entries = await self._claim() or await self._read_new()
                self._in_hand.update(entry.stream_id for entry in entries)
                return entries
        except ResponseError as error:
            if not is_no_group(error):
                raise
            log.warning("the consumer group is gone (was Redis emptied?); creating it again", group=self.group)
            await ensure_group(self._redis, self._stream, self.group)
            raise Transient("the consumer group was missing and has been created again") from None

    async def acknowledge(self, entries: Sequence[Entry], announcement: bytes | None = None) -> None:
        """Publishes the announcement, then acknowledges: one round trip."""
        if not entries:
            return
        ids = [entry.stream_id for entry in entries]
        with redis_errors():
            async with self._redis.pipeline(transaction=False) as pipeline:
                if announcement is not None:
                    pipeline.publish(RESULTS_CHANNEL, announcement)
                pipeline.xack(self._stream, self.group, *ids)
                await pipeline.execute()
        self._in_hand.difference_update(ids)

    def let_go(self, stream_ids: Iterable[str]) -> None:
        """Takes entries out of hand that somebody else acknowledges; what is still pending is taken over again."""
        self._in_hand.difference_update(stream_ids)

    async def _claim(self) -> list[Entry]:
        """Entries that some worker read and did not acknowledge within the idle time."""
        now = time.monotonic()
        if now < self._next_claim_at:
            return []
        answer: Any = await self._redis.xautoclaim(
            self._stream,
            self.group,
            self.name,
            min_idle_time=self._claim_idle_ms,
            start_id=self._claim_cursor,
            count=self._count,
        )
        cursor, claimed, deleted = answer
        self._claim_cursor = cursor.decode()
        if deleted:
            log.error("pending entries had been deleted from the stream before they were processed", count=len(deleted))
        if not claimed and self._claim_cursor == "0-0":
            # The whole pending list was looked through: once more when something can have become idle.
            self._next_claim_at = now + self._claim_idle_ms / 2_000
        entries = [Entry(stream_id.decode(), fields) for stream_id, fields in claimed]
        entries = [entry for entry in entries if entry.stream_id not in self._in_hand]
        if entries:
            log.info("took over posts from another worker", count=len(entries))
        return entries

    async def _read_new(self) -> list[Entry]:
        answer: Any = await self._redis.xreadgroup(
            self.group, self.name, {self._stream: ">"}, count=self._count, block=self._block_ms
        )
        return [Entry(stream_id.decode(), fields) for _, entries in answer or () for stream_id, fields in entries]

    async def forget_dead_consumers(self) -> None:
        """Removes consumers that hold nothing and have long been silent; their names would pile up for ever."""
        with redis_errors():
            for consumer in await self._redis.xinfo_consumers(self._stream, self.group):
                name = consumer["name"].decode()
                if name != self.name and consumer["pending"] == 0 and consumer["idle"] > FORGET_CONSUMER_AFTER_MS:
                    await self._redis.xgroup_delconsumer(self._stream, self.group, name)

    async def leave(self) -> None:
        """Takes this consumer out of the group if it holds nothing; what it holds would be lost with it."""
        with redis_errors():
            for consumer in await self._redis.xinfo_consumers(self._stream, self.group):
                if consumer["name"].decode() == self.name and consumer["pending"] == 0:
                    await self._redis.xgroup_delconsumer(self._stream, self.group, self.name)


@asynccontextmanager
async def joined(consumer: Consumer) -> AsyncIterator[Consumer]:
    """Leaves the group at the end of the block; where Redis is away then, the name is forgotten later."""
    try:
        yield consumer
    finally:
        try:
            await consumer.leave()
        except Transient as error:
            log.warning("could not leave the consumer group", error=str(error))
