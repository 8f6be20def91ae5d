"""Posts of deleted authors, out of the database: beside the other work, because there may be very many of them."""

import asyncio
import time
from functools import partial

import asyncpg

from services.common.circuit import Circuit
from services.common.cluster import Client, publish
from services.common.deletions import delete_some
from services.common.logging import get_logger
from services.common.retry import until_done
from services.common.streams import RESULTS_CHANNEL, redis_errors
from services.worker import metrics
from services.worker.announce import announcement

log = get_logger(__name__)

ROUND_INTERVAL_S = 1.0


class DeletedAuthors:
    """Any worker may take up what another has left half-done: how far it has come is in the database."""

    def __init__(self, pool: asyncpg.Pool, redis: Client, circuit: Circuit, stopping: asyncio.Event) -> None:
        """`circuit`: that of Redis."""
        self._pool = pool
        self._redis = redis
        self._circuit = circuit
        self._stopping = stopping

    async def round(self) -> None:
        """Until nothing is left, some posts at a time. Transient if the database is away; safe to repeat."""
        posts = 0
        began = time.monotonic()
        while (deleted := await self._delete_some()) is not None:
            took_s = time.monotonic() - began
            posts += len(deleted)
            metrics.POSTS_DELETED.inc(len(deleted))
            if message := announcement((), deleted):
                # As what is announced with a batch: it waits for Redis.
                await until_done("announce", partial(self._publish, message), self._stopping, self._circuit)
            # Others delete and close buckets meanwhile, which is done by one after the other.
            await asyncio.sleep(took_s)
            began = time.monotonic()
        if posts:
            log.info("deleted posts of authors who were deleted", posts=posts)

    async def _delete_some(self) -> list[str] | None:
        """None also when the worker is told to stop. A database that hangs is given up then, while batches are still
        waited for: the goodbye to it takes seconds, for which there would be no time behind them.
        """
        deleting = asyncio.create_task(delete_some(self._pool))
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({deleting, stop}, return_when=asyncio.FIRST_COMPLETED)
            return deleting.result() if deleting.done() else None
        finally:
            stop.cancel()
            deleting.cancel()
            await asyncio.gather(stop, deleting, return_exceptions=True)

    async def _publish(self, message: bytes) -> None:
        with redis_errors():
            await publish(self._redis, RESULTS_CHANNEL, message)
