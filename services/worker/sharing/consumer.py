"""A consumer of each shard that this worker reads, as one."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from services.common.cluster import Client
from services.common.errors import Transient
from services.worker.consumer import Consumer, Entry, acknowledge, consumer_name
from services.worker.sharing.each import each_of


class SharedConsumer:
    """Reads all of its shards at once: in a cluster, one command can wait for one shard only.

    A shard that is taken away is read no more, and left when what was read of it is acknowledged.
    """

    def __init__(self, redis: Client, group: str, *, count: int, block_ms: int, claim_idle_ms: int) -> None:
        """`count`: of all shards together, at most (or one of each)."""
        self.name = consumer_name()
        self.group = group
        self._redis = redis
        self._count = count
        self._block_ms = block_ms
        self._make: Callable[[str], Consumer] = lambda stream: Consumer(
            redis, stream, group, count=1, block_ms=block_ms, claim_idle_ms=claim_idle_ms, name=self.name
        )
        # Those that are read, and those that are only finished.
        self._consumers: dict[str, Consumer] = {}
        self._reading: set[str] = set()
        # What is being read, and what was and is not handed out yet. A read that is given up would lose its answer.
        self._reads: dict[str, asyncio.Task[list[Entry]]] = {}

    @property
    def reading(self) -> frozenset[str]:
        return frozenset(self._reading)

    @property
    def held(self) -> frozenset[str]:
        """Those that are read or not finished."""
        return frozenset(self._consumers)

    def is_done(self, stream: str) -> bool:
        """Whether nothing of the shard is in hand any more."""
        return stream not in self._reads and self._consumers[stream].is_done

    def start(self, stream: str) -> None:
        if stream not in self._consumers:
            self._consumers[stream] = self._make(stream)
        self._reading.add(stream)
        self._divide()

    def stop(self, stream: str) -> None:
        """Reads nothing more of the shard."""
        self._reading.discard(stream)
        self._divide()

    async def drop(self, stream: str) -> None:
        """Leaves a shard that is done."""
        await self._consumers[stream].leave()
        del self._consumers[stream]

    async def read(self) -> list[Entry]:
        for stream in self._reading - self._reads.keys():
            self._reads[stream] = asyncio.create_task(self._consumers[stream].read(), name=f"read {stream}")
        if not self._reads:
            await asyncio.sleep(self._block_ms / 1_000)
            return []
        await asyncio.wait(self._reads.values(), return_when=asyncio.FIRST_COMPLETED)
        entries, failure = self._arrived()
        if failure and not entries:
            raise failure
        return entries

    async def last(self) -> list[Entry]:
        """What is read but not handed out; nothing is read afterwards. What fails stays pending."""
        self._reading.clear()
        if self._reads:
            await asyncio.wait(self._reads.values())
        return self._arrived()[0]

    def _arrived(self) -> tuple[list[Entry], Transient | None]:
        entries: list[Entry] = []
        failure = None
        for stream in [stream for stream, task in self._reads.items() if task.done()]:
            try:
                entries += self._reads.pop(stream).result()
            except Transient as error:
                failure = error
        return entries, failure

    async def acknowledge(self, entries: Sequence[Entry], announcement: bytes | None = None) -> None:
        """Publishes the announcement, then acknowledges: one round trip."""
        if not entries:
            return
        await acknowledge(self._redis, self.group, by_stream(entries), announcement)
        self.let_go(entries)

    def let_go(self, entries: Iterable[Entry]) -> None:
        for stream, some in by_stream(entries).items():
            self._consumers[stream].let_go(some)

    async def hold(self) -> None:
        consumers = dict(self._consumers)
        await each_of(consumers, lambda stream: consumers[stream].hold())

    async def count_delivery(self, entry: Entry) -> None:
        await self._consumers[entry.stream].count_delivery(entry)

    async def forget_dead_consumers(self) -> None:
        consumers = {stream: self._consumers[stream] for stream in self._reading}
        await each_of(consumers, lambda stream: consumers[stream].forget_dead_consumers())

    async def cancel(self) -> None:
        """Gives up what is being read; what Redis has handed out already stays pending."""
        for task in self._reads.values():
            task.cancel()
        await asyncio.gather(*self._reads.values(), return_exceptions=True)

    async def leave(self) -> None:
        """Takes this worker out of the group of each shard of which it holds nothing."""
        await self.cancel()
        for consumer in self._consumers.values():
            await consumer.leave()

    def _divide(self) -> None:
        for stream in self._reading:
            self._consumers[stream].count = max(1, self._count // len(self._reading))


def by_stream(entries: Iterable[Entry]) -> Mapping[str, Sequence[Entry]]:
    streams: dict[str, list[Entry]] = {}
    for entry in entries:
        streams.setdefault(entry.stream, []).append(entry)
    return streams
