"""The consumer group's side of the stream: what is to be done next, and what is done."""

import asyncio
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from services.common.cluster import Client, add_publish, execute
from services.common.errors import Transient
from services.common.logging import get_logger
from services.common.messages import MAX_EPOCH_MS
from services.common.streams import RESULTS_CHANNEL, NoGroup, ensure_group, redis_errors

log: structlog.typing.FilteringBoundLogger = get_logger(__name__)

# A consumer that has read nothing for so long, and holds nothing, belongs to a worker that is gone.
FORGET_CONSUMER_AFTER_MS = 3_600_000
# An entry that so many workers were given and none acknowledged is a suspect: whoever handles it may die of it.
SUSPECT_AFTER_DELIVERIES = 3
# A suspect is tried alone, and given up when it has been delivered so often.
MAX_DELIVERIES = 6
# Entries whose idle time is set back in one command.
HELD_AT_ONCE = 1_000
# At the end of a process, which has to end.
LEAVE_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Entry:
    """A stream entry as it was read. `deliveries`: how often it was handed to a worker, this time included.

    `read_at`: when, by our clock; seconds since the epoch. `stream`: in which of the shards.
    """

    stream_id: str
    fields: Mapping[bytes, bytes]
    deliveries: int = 1
    read_at: float = field(default_factory=time.time, compare=False)
    stream: str = field(default="", compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by: another shard may have the same id."""
        return self.stream, self.stream_id

    @property
    def is_suspect(self) -> bool:
        return self.deliveries >= SUSPECT_AFTER_DELIVERIES

    @property
    def added_at(self) -> float:
        """When it was added, by Redis's clock; seconds since the epoch."""
        return int(self.stream_id.partition("-")[0]) / 1_000

    @property
    def queued_ms(self) -> int | None:
        """The same in milliseconds; None where whoever added it chose an id that is no time."""
        milliseconds = int(self.stream_id.partition("-")[0])
        return milliseconds if milliseconds <= MAX_EPOCH_MS else None


def consumer_name() -> str:
    """`worker-<host>-<pid>-<random>`: in containers every pid is 1, so host and pid alone are not unique."""
    return f"worker-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


class Reader(Protocol):
    """What the rest of a worker needs of it; a Consumer, or one of each shard (`worker.sharing`)."""

    name: str
    group: str

    @property
    def reading(self) -> frozenset[str]: ...

    async def read(self) -> list[Entry]: ...

    async def last(self) -> list[Entry]: ...

    async def acknowledge(self, entries: Sequence[Entry], announcement: bytes | None = None) -> None: ...

    def let_go(self, entries: Iterable[Entry]) -> None: ...

    async def hold(self) -> None: ...

    async def count_delivery(self, entry: Entry) -> None: ...

    async def forget_dead_consumers(self) -> None: ...

    async def leave(self) -> None: ...


class Consumer:
    """One consumer of the group. Reads what dead workers left behind before it reads what is new."""

    def __init__(
        self,
        redis: Client,
        stream: str,
        group: str,
        *,
        count: int,
        block_ms: int,
        claim_idle_ms: int,
        name: str | None = None,
    ) -> None:
        """`count`: entries that are read at once, at most. `name`: the worker's, where it has several consumers."""
        self.name = name or consumer_name()
        self._redis = redis
        self._stream = stream
        self.group = group
        self.count = count
        self._block_ms = block_ms
        self._claim_idle_ms = claim_idle_ms
        self._next_claim_at = 0.0
        # Read and not yet acknowledged: ours for as long as this process lives (`hold`).
        self._in_hand: set[str] = set()
        # Taken over from others, to be read one at a time; with the number of their deliveries so far.
        self._suspects: deque[tuple[str, int]] = deque()

    async def read(self) -> list[Entry]:
        """Up to `count` entries: taken over from the dead, else new ones; none if nothing came in `block_ms`.

        A suspect comes alone. Transient if Redis is away, or has lost the group, which is then created again for the
        next call.
        """
        try:
            with redis_errors():
                entries = await self._take_over() or await self._read_new()
                self._in_hand.update(entry.stream_id for entry in entries)
                return entries
        except NoGroup:
            log.warning("the consumer group is gone (was Redis emptied?); creating it again", group=self.group)
            await ensure_group(self._redis, self._stream, self.group)
            raise Transient("the consumer group was missing and has been created again") from None

    async def acknowledge(self, entries: Sequence[Entry], announcement: bytes | None = None) -> None:
        """Publishes the announcement, then acknowledges: one round trip."""
        if not entries:
            return
        await acknowledge(self._redis, self.group, {self._stream: entries}, announcement)
        self.let_go(entries)

    def let_go(self, entries: Iterable[Entry]) -> None:
        """Takes entries out of hand that somebody else acknowledges; what is still pending is taken over again."""
        self._in_hand.difference_update(entry.stream_id for entry in entries)

    @property
    def is_done(self) -> bool:
        """Whether all that was handed out is acknowledged. Suspects that were not are left to others."""
        return self._in_hand <= {stream_id for stream_id, _ in self._suspects}

    @property
    def reading(self) -> frozenset[str]:
        """The streams that it reads."""
        return frozenset((self._stream,))

    async def last(self) -> list[Entry]:
        """What was read and not handed out yet: nothing."""
        return []

    async def hold(self) -> None:
        """Says that what is in hand is being worked on, however long a dependency is away: nobody takes it over.

        To be called more often than entries become idle. It counts as no delivery.
        """
        with redis_errors():
            for chunk in chunks(sorted(self._in_hand, key=place), HELD_AT_ONCE):
                # What others have taken over meanwhile (we were paused) stays theirs.
                ours = [entry["message_id"] for entry in await self._pending_of_ours(chunk)]
                kept = [stream_id for stream_id in ours if stream_id.decode() in self._in_hand]
                if kept:
                    await self._redis.xclaim(self._stream, self.group, self.name, 0, kept, justid=True)

    async def count_delivery(self, entry: Entry) -> None:
        """To be called right before a suspect is tried, so that deliveries count what was tried and nothing else."""
        with redis_errors():
            await self._redis.xclaim(
                self._stream,
                self.group,
                self.name,
                0,
                [entry.stream_id],
                retrycount=entry.deliveries,
                justid=True,
            )

    async def _take_over(self) -> list[Entry]:
        """What workers read and did not acknowledge within the idle time: all but suspects together, or one of those.

        By XPENDING and XCLAIM, not by XAUTOCLAIM: that counts a delivery for whatever it finds, before it can be known
        what is a suspect.
        """
        if not self._suspects and time.monotonic() >= self._next_claim_at and (claimed := await self._claim()):
            return claimed
        while self._suspects:
            stream_id, deliveries = self._suspects.popleft()
            found: Any = await self._redis.xrange(self._stream, stream_id, stream_id)
            if found:
                log.warning("a post is tried alone: no worker has acknowledged it", id=stream_id, deliveries=deliveries)
                return [self._entry(stream_id, found[0][1], deliveries + 1)]
            self._in_hand.discard(stream_id)
        return []

    async def _claim(self) -> list[Entry]:
        """Idle entries, now ours and delivered once more; suspects among them are kept for later, not yet delivered."""
        idle: Any = await self._redis.xpending_range(
            self._stream, self.group, "-", "+", self.count + len(self._in_hand), idle=self._claim_idle_ms
        )
        deliveries = {each["message_id"].decode(): int(each["times_delivered"]) for each in idle}
        wanted = [stream_id for stream_id in deliveries if stream_id not in self._in_hand]
        if not wanted:
            # Once more when something can have become idle.
            self._next_claim_at = time.monotonic() + self._claim_idle_ms / 2_000
            return []
        suspects = [each for each in wanted if deliveries[each] >= SUSPECT_AFTER_DELIVERIES]
        if suspects:
            # Whoever else asks at this moment finds them idle no more.
            ours: Any = await self._xclaim(suspects, justid=True)
            self._suspects += [(each.decode(), deliveries[each.decode()]) for each in ours]
            self._in_hand.update(each.decode() for each in ours)
        others = [each for each in wanted if each not in suspects]
        claimed: Any = await self._xclaim(others) if others else []
        if claimed:
            log.info("took over posts from another worker", count=len(claimed))
        return [self._entry(each.decode(), fields, deliveries[each.decode()] + 1) for each, fields in claimed]

    async def _xclaim(self, ids: Sequence[str], *, justid: bool = False) -> Any:
        return await self._redis.xclaim(
            self._stream, self.group, self.name, self._claim_idle_ms, list(ids), justid=justid
        )

    async def _pending_of_ours(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """What Redis knows of our pending entries between the first and the last of `ids`."""
        first, last = min(ids, key=place), max(ids, key=place)
        answer: Any = await self._redis.xpending_range(
            self._stream, self.group, first, last, len(ids) + len(self._in_hand), self.name
        )
        return list(answer)

    async def _read_new(self) -> list[Entry]:
        answer: Any = await self._redis.xreadgroup(
            self.group, self.name, {self._stream: ">"}, count=self.count, block=self._block_ms
        )
        return [self._entry(stream_id.decode(), fields) for _, entries in answer or () for stream_id, fields in entries]

    def _entry(self, stream_id: str, fields: Mapping[bytes, bytes], deliveries: int = 1) -> Entry:
        return Entry(stream_id, fields, deliveries, stream=self._stream)

    async def forget_dead_consumers(self) -> None:
        """Removes consumers that hold nothing and have long been silent; their names would pile up for ever."""
        with redis_errors():
            await self._redis.register_script(_FORGET)(
                keys=[self._stream], args=[self.group, self.name, "others", FORGET_CONSUMER_AFTER_MS]
            )

    async def leave(self) -> None:
        """Takes this consumer out of the group if it holds nothing; what it holds would be lost with it."""
        with redis_errors():
            await self._redis.register_script(_FORGET)(keys=[self._stream], args=[self.group, self.name, "itself", 0])


async def acknowledge(
    redis: Client, group: str, entries: Mapping[str, Sequence[Entry]], announcement: bytes | None
) -> None:
    """Publishes the announcement, then acknowledges the entries of each stream: one round trip."""
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipeline:
            if announcement is not None:
                add_publish(pipeline, RESULTS_CHANNEL, announcement)
            for stream, some in entries.items():
                pipeline.xack(stream, group, *(entry.stream_id for entry in some))
            await execute(redis, pipeline)


# ARGV: the group, a consumer, whether "itself" or the "others" are to go, and for how many milliseconds they have to
# have been idle. In one step: what a consumer is given between a look and its removal would be nobody's.
_FORGET = """
for _, facts in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for at = 1, #facts, 2 do consumer[facts[at]] = facts[at + 1] end
  local meant = (consumer['name'] == ARGV[2]) == (ARGV[3] == 'itself')
  if meant and consumer['pending'] == 0 and consumer['idle'] >= tonumber(ARGV[4]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
  end
end
"""


def place(stream_id: str) -> tuple[int, int]:
    """Where it stands in the stream: ids are no numbers, "9-0" comes before "10-0"."""
    milliseconds, _, sequence = stream_id.partition("-")
    return int(milliseconds), int(sequence)


def chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


@asynccontextmanager
async def joined(consumer: Reader) -> AsyncIterator[Reader]:
    """Leaves the group at the end of the block; where Redis is away then, the name is forgotten later."""
    try:
        yield consumer
    finally:
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                await consumer.leave()
        except (Transient, TimeoutError) as error:
            log.warning("could not leave the consumer group", error=str(error) or "Redis does not answer")
