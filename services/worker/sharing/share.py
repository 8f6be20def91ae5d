"""One worker's share of the shards: takes what is free, hands over what is too much."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Protocol

from services.common.errors import Transient
from services.common.logging import get_logger
from services.worker import metrics
from services.worker.sharing.each import each_of
from services.worker.sharing.quota import quota

log = get_logger(__name__)

# Several times within a lease: one round may fail.
ROUND_INTERVAL_S = 1.0
# At the end of a process, which has to end.
LEAVE_TIMEOUT_S = 2.0


class Shards(Protocol):
    """What reads them; a SharedConsumer."""

    name: str

    @property
    def reading(self) -> frozenset[str]: ...

    @property
    def held(self) -> frozenset[str]: ...

    def is_done(self, stream: str) -> bool: ...

    def start(self, stream: str) -> None: ...

    def stop(self, stream: str) -> None: ...

    async def drop(self, stream: str) -> None: ...


class LeaseStore(Protocol):
    """Where the leases are; Leases."""

    async def register(self) -> Sequence[str]: ...

    async def unregister(self) -> None: ...

    async def take(self, stream: str) -> bool: ...

    async def renew(self, stream: str) -> bool: ...

    async def release(self, stream: str) -> None: ...


class Share:
    """Which shards a worker reads, round after round."""

    def __init__(self, consumer: Shards, leases: LeaseStore, streams: Sequence[str], stopping: asyncio.Event) -> None:
        self._consumer = consumer
        self._leases = leases
        self._streams = streams
        self._stopping = stopping
        self._stands_by: bool | None = None

    async def round(self) -> None:
        """Keeps the leases, and comes nearer to the quota.

        Transient if Redis is away, or a node of it: what was read is read on, and the shards of other nodes are kept.
        """
        consumer = self._consumer
        await each_of(consumer.held, self._keep)
        if self._stopping.is_set():
            await self._leases.unregister()
            return
        workers = await self._leases.register()
        mine = quota(consumer.name, workers, len(self._streams))
        if len(consumer.reading) > mine:
            # One a round, the last first: the others are read meanwhile.
            consumer.stop(max(consumer.reading))
        for stream in self._streams:
            if len(consumer.reading) >= mine:
                break
            if stream not in consumer.held and await self._leases.take(stream):
                consumer.start(stream)
                log.info("took a shard", stream=stream)
        metrics.SHARDS.set(len(consumer.reading))
        self._tell(stands_by=mine == 0, workers=len(workers))

    async def _keep(self, stream: str) -> None:
        consumer = self._consumer
        if not await self._leases.renew(stream) and stream in consumer.reading:
            # We were paused for so long that another worker has it; what is in hand is ours all the same.
            log.warning("another worker has the shard", stream=stream)
            consumer.stop(stream)
        if stream not in consumer.reading and consumer.is_done(stream):
            await consumer.drop(stream)
            await self._leases.release(stream)
            log.info("handed a shard over", stream=stream)

    async def leave(self) -> None:
        """Gives everything back at the end: nobody has to wait until it expires."""
        everything: list[Awaitable[None]] = [self._leases.release(stream) for stream in self._consumer.held]
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                await asyncio.gather(self._leases.unregister(), *everything)
        except (Transient, TimeoutError) as error:
            log.warning("could not give the shards back; they are free when their leases expire", error=str(error))

    def _tell(self, *, stands_by: bool, workers: int) -> None:
        if stands_by != (self._stands_by or False):
            if stands_by:
                log.warning(
                    "standing by: there are more workers than shards", workers=workers, shards=len(self._streams)
                )
            else:
                log.info("no longer standing by", workers=workers)
        self._stands_by = stands_by
