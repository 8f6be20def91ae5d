"""Reading, analysing and storing at the same time, each with other posts: while one batch is inferred, the next one is
read and tokenized, and the one before is stored.

Every stage has a limit, so memory stays flat however fast posts arrive: the reader waits while a batch lies ready that
nobody has taken up, analysis waits while as many batches as are in flight wait to be stored. Batches follow the load:
one post alone leaves at once; what arrives while a few are analysed leaves together when they are done, and while many
are analysed, the next many.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from services.common.cancellation import stop_if_cancelled
from services.common.circuit import Circuit
from services.common.retry import until_done
from services.worker import metrics, post_traces
from services.worker.consumer import Entry, Reader
from services.worker.pipeline import Batch, Pipeline, merged

T = TypeVar("T")

# Batches that are stored in one transaction when several wait for it: at most so many posts, or one batch.
STORED_AT_ONCE = 1_024
# So many posts are many. A batch of fewer has the models for itself: another one beside it would only wait for them,
# and both would cost more than one larger batch afterwards, in requests, statements and acknowledgements. Nor is
# anything read meanwhile: what arrives in the few milliseconds is one read then, not one a post (docs/performance.md).
MANY_POSTS = 64


class Conveyor:
    """One worker's way from the stream to the acknowledgement."""

    def __init__(
        self, consumer: Reader, pipeline: Pipeline, redis: Circuit, *, batch_posts: int, in_flight: int
    ) -> None:
        """`batch_posts`: the largest batch. `in_flight`: batches that are analysed at the same time."""
        self._consumer = consumer
        self._pipeline = pipeline
        self._redis = redis
        self._batch_posts = batch_posts
        self._in_flight = in_flight
        self._arrived: deque[Entry] = deque()
        self._many = min(MANY_POSTS, batch_posts)
        # Posts of each batch that is being analysed.
        self._analysing: list[int] = []
        # Batches that were begun and are neither acknowledged nor given up; `_alone`: the only one, a suspect.
        self._unfinished = 0
        self._alone = False
        self._changed = asyncio.Condition()
        self._read_to_the_end = False
        # Its limit makes analysis wait for the database, and so the reader, too.
        self._analysed: asyncio.Queue[Batch | None] = asyncio.Queue(in_flight)
        self.abandoned = 0

    async def run(self, stopping: asyncio.Event, gave_up: asyncio.Event) -> None:
        """Until `stopping`; then what was read is finished, or abandoned after `gave_up`: it stays pending, and another
        worker takes it over."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(stopping, gave_up))
            storing = tasks.create_task(self._store(gave_up))
            async with asyncio.TaskGroup() as analysing:
                for _ in range(self._in_flight):
                    analysing.create_task(self._analyse(gave_up))
            await self._analysed.put(None)
            await storing

    async def _read(self, stopping: asyncio.Event, gave_up: asyncio.Event) -> None:
        while not stopping.is_set():
            async with self._changed:
                await self._changed.wait_for(self._may_read)
            if stopping.is_set():
                break
            # Not given up when told to stop: what Redis has already handed out would be lost with its answer.
            entries = await _result("read", self._consumer.read, gave_up, self._redis)
            stop_if_cancelled()
            async with self._changed:
                self._arrived.extend(entries or ())
                self._changed.notify_all()
        last = await _result("read", self._consumer.last, gave_up, self._redis)
        stop_if_cancelled()
        async with self._changed:
            self._arrived.extend(last or ())
            self._read_to_the_end = True
            self._changed.notify_all()

    def _may_read(self) -> bool:
        if not self._analysing:
            return not self._arrived
        return sum(self._analysing) >= self._many and len(self._arrived) < self._batch_posts

    def _may_begin(self) -> bool:
        # Whoever dies of a suspect shall not have another one in hand, nor anything that would look like one then.
        if self._alone or (self._arrived and self._arrived[0].is_suspect and self._unfinished):
            return False
        return self._read_to_the_end or len(self._arrived) >= (self._many if self._analysing else 1)

    async def _take(self) -> list[Entry]:
        """The next batch, as soon as it may begin: what has arrived, a suspect alone; empty at the end."""
        async with self._changed:
            await self._changed.wait_for(self._may_begin)
            batch: list[Entry] = []
            while self._arrived and len(batch) < self._batch_posts:
                if batch and (batch[0].is_suspect or self._arrived[0].is_suspect):
                    break
                batch.append(self._arrived.popleft())
            if batch:
                self._analysing.append(len(batch))
                self._unfinished += 1
                self._alone = batch[0].is_suspect
            self._changed.notify_all()
        return batch

    async def _analysed_or_given_up(self, posts: int, *, given_up: bool) -> None:
        async with self._changed:
            self._analysing.remove(posts)
            self._changed.notify_all()
        if given_up:
            self.abandoned += posts
            await self._finished(1)

    async def _finished(self, batches: int) -> None:
        async with self._changed:
            self._unfinished -= batches
            self._alone = False
            self._changed.notify_all()

    async def _analyse(self, gave_up: asyncio.Event) -> None:
        while entries := await self._take():
            metrics.STAGE_SECONDS.labels("wait").observe(max(0.0, time.time() - entries[0].added_at))
            spans = self._pipeline.trace(entries)
            batch = await _result("analyse", partial(self._pipeline.analyse, entries, spans), gave_up)
            await self._analysed_or_given_up(len(entries), given_up=batch is None)
            if batch is None:
                post_traces.give_up(spans)
            else:
                await self._analysed.put(batch)

    async def _store(self, gave_up: asyncio.Event) -> None:
        ended = False
        while not ended:
            waiting = [await self._analysed.get()]
            while sum(len(each.entries) for each in waiting if each) < STORED_AT_ONCE and not self._analysed.empty():
                waiting.append(self._analysed.get_nowait())
            ended = None in waiting
            batches = [each for each in waiting if each]
            batch = merged(batches)
            if batch.entries and not await self._finish(batch, gave_up):
                self.abandoned += len(batch.entries)
                post_traces.give_up(batch.spans)
            await self._finished(len(batches))

    async def _finish(self, batch: Batch, gave_up: asyncio.Event) -> bool:
        """False where it was given up. Each step is repeated by itself: what is stored is not stored again."""
        stored = await _result("store", partial(self._pipeline.store, batch), gave_up)
        return stored is not None and await until_done(
            "acknowledge", partial(self._pipeline.acknowledge, batch, stored), gave_up, self._redis
        )


async def _result(
    what: str, action: Callable[[], Awaitable[T]], gave_up: asyncio.Event, circuit: Circuit | None = None
) -> T | None:
    """What `action` returns once it succeeds; None where it was given up first."""
    results: list[T] = []

    async def attempt() -> None:
        results.append(await action())

    return results[0] if await until_done(what, attempt, gave_up, circuit) else None
