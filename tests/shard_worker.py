"""A worker that shares the shards with others and reads them, and keeps the posts in a list."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from services.common.background import repeat
from services.common.cluster import Client
from services.common.errors import Transient
from services.worker.consumer import Entry
from services.worker.sharing.consumer import SharedConsumer
from services.worker.sharing.leases import Leases
from services.worker.sharing.share import Share

# Longer than a busy machine stops a test, and soon over where a worker dies.
PATIENT_MS, SHORT_MS = 60_000, 1_000
ROUND_S = 0.1


class ShardWorker:
    def __init__(
        self, redis: Client, stream: str, streams: Sequence[str], group: str, *, may_die: bool = False
    ) -> None:
        """`may_die`: its leases and what it has in hand are soon free."""
        patience_ms = SHORT_MS if may_die else PATIENT_MS
        self.consumer = SharedConsumer(redis, group, count=60, block_ms=100, claim_idle_ms=patience_ms)
        leases = Leases(redis, stream, self.consumer.name, lease_ms=patience_ms)
        self._stopping = asyncio.Event()
        self.share = Share(self.consumer, leases, streams, self._stopping)
        self.read: list[Entry] = []
        # While it is not set, nothing is acknowledged.
        self.may_finish = asyncio.Event()
        self.may_finish.set()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(repeat("shards", self.share.round, ROUND_S)),
            asyncio.create_task(repeat("holding", self.consumer.hold, ROUND_S)),
            asyncio.create_task(self._work()),
        ]

    async def kill(self) -> None:
        """Nobody hears of it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.consumer.cancel()

    async def stop(self) -> None:
        """As on SIGTERM."""
        self._stopping.set()
        await self._tasks[-1]
        await self.kill()
        await self.consumer.leave()
        await self.share.leave()

    async def _work(self) -> None:
        while not self._stopping.is_set():
            await self._finish(self.consumer.read)
        await self._finish(self.consumer.last)

    async def _finish(self, read: Callable[[], Awaitable[list[Entry]]]) -> None:
        entries: list[Entry] = []
        while True:
            try:
                entries = entries or await read()
                if entries:
                    await self.may_finish.wait()
                    await self.consumer.acknowledge(entries)
            except Transient:
                await asyncio.sleep(0.1)
            else:
                self.read += entries
                return


@asynccontextmanager
async def working(worker: ShardWorker) -> AsyncIterator[ShardWorker]:
    """At work until the end of the block, where it is killed if it has not stopped."""
    worker.start()
    try:
        yield worker
    finally:
        await worker.kill()
