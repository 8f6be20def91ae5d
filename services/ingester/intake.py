"""One source's posts on their way into the stream, whatever happens to the others."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import TypeVar

from prometheus_client import Counter

from services.common.background import in_background
from services.common.dead_letters import DeadLetter, DeadLetters
from services.common.errors import ConfigurationError
from services.common.logging import get_logger
from services.common.messages import AuthorDeletion, Deletion, Post, Published
from services.common.metrics import start_at_zero
from services.common.retry import until_done
from services.common.rules import REASONS, Rules
from services.common.source_states import SourceStore
from services.ingester.publisher import REFUSED, Publisher
from services.ingester.sources.backoff import wait_s
from services.ingester.sources.base import Batch, Malformed, Source
from services.ingester.switch import Switch

log = get_logger(__name__)

T = TypeVar("T")

DELETED = Counter("undertone_source_deletes_total", "Posts that a source says were deleted", ["source"])
AUTHORS = Counter("undertone_source_deleted_authors_total", "Authors that a source says were deleted", ["source"])
REJECTED = Counter("undertone_ingester_posts_rejected_total", "Posts that a rule has kept out", ["reason"])
MASKED = Counter("undertone_ingester_posts_masked_total", "Posts in which something was masked")
start_at_zero(REJECTED, REASONS)

ROOM_POLL_S = 0.05
# A source goes on some seconds before its position, so it need not be written more often.
POSITION_INTERVAL_S = 1.0


class Intake:
    """Reads a source to its end, while it is switched on. `group`: that acknowledges what is buried. `rules`: of all
    sources together.
    """

    def __init__(
        self,
        source: Source,
        publisher: Publisher,
        dead: DeadLetters,
        store: SourceStore,
        stopping: asyncio.Event,
        *,
        switch: Switch,
        rules: Rules,
        group: str,
        max_lag: int,
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._dead = dead
        self._store = store
        self._switch = switch
        self._rules = rules
        self._stopping = stopping
        # Of the present reading: told to stop, or switched off.
        self._halt = stopping
        self._group = group
        self._max_lag = max_lag
        self._failures = 0
        self._position_at = float("-inf")

    async def run(self) -> None:
        """Returns when the source has ended, or when the ingester is told to stop; a fault in between is logged and
        the source begun again, and so is one that was switched off and on. ConfigurationError: it will not work as it
        was asked for.
        """
        health = self._source.health
        while await self._is_on():
            async with first_of(self._stopping, self._switch.off) as self._halt:
                try:
                    await self._feed()
                    if not self._halt.is_set():
                        health.ended()
                        return
                except ConfigurationError as error:
                    health.failed(str(error))
                    health.ended()
                    log.error("the source cannot go on", source=self._source.name, error=str(error))
                    raise
                except Exception as error:
                    # A fault of ours, which must not end the other sources.
                    health.failed(f"{type(error).__name__}: {error}")
                    log.exception("the source failed; it is begun again", source=self._source.name)
                    await next_or_stop(asyncio.sleep(wait_s(self._failures)), self._halt)
                    self._failures += 1
            health.down()

    async def _is_on(self) -> bool:
        """Waits until it is; False if told to stop meanwhile."""
        health = self._source.health
        if self._switch.off.is_set():
            health.on = False
            log.info("switched off", source=self._source.name)
        await next_or_stop(self._switch.on.wait(), self._stopping)
        if not health.on and not self._stopping.is_set():
            health.on = True
            log.info("switched on", source=self._source.name)
        return not self._stopping.is_set()

    async def _feed(self) -> None:
        found: list[str | None] = []

        async def find() -> None:
            found.append(await self._store.read_position(self._source.name))

        if not await until_done("position", find, self._halt):
            return
        async with aclosing(self._source.batches(found[-1])) as batches:
            batch = await next_or_stop(anext(batches, None), self._halt)
            while batch is not None and await self._deliver(batch):
                self._failures = 0
                batch = await next_or_stop(anext(batches, None), self._halt)

    async def _deliver(self, batch: Batch) -> bool:
        """False if told to stop, or switched off, before everything was in the stream."""
        posts = [item for item in batch.items if isinstance(item, Post)]
        refused = [item for item in batch.items if isinstance(item, Malformed)]
        return (
            await self._bury(refused)
            and await self._publish(self._let_in(posts))
            # Behind the posts: one of them may be what was deleted.
            and await self._delete(batch)
            # Behind everything that it covers, in whatever step: it is never ahead of what is kept.
            and await self._remember(batch.position)
        )

    def _let_in(self, posts: Sequence[Post]) -> list[Post]:
        """Those that no rule keeps out, masked."""
        passed = []
        for post in posts:
            verdict = self._rules.judge(post)
            if isinstance(verdict, Post):
                MASKED.inc(verdict is not post)
                passed.append(verdict)
            else:
                REJECTED.labels(verdict).inc()
                self._source.health.rejected(verdict)
        return passed

    async def _publish(self, posts: Sequence[Post]) -> bool:
        # A batch may be larger than what may wait at all.
        for start in range(0, len(posts), self._max_lag):
            some = posts[start : start + self._max_lag]
            if not await self._add(some):
                return False
            self._source.health.published(len(some))
        return True

    async def _delete(self, batch: Batch) -> bool:
        """For the workers, also what was never published: it may come yet."""
        deletions: list[Deletion | AuthorDeletion] = [
            *(Deletion(post_id=post_id) for post_id in batch.deleted),
            *batch.deleted_authors,
        ]
        for start in range(0, len(deletions), self._max_lag):
            some = deletions[start : start + self._max_lag]
            if not await self._add(some):
                return False
            posts = sum(isinstance(each, Deletion) for each in some)
            DELETED.labels(self._source.name).inc(posts)
            AUTHORS.labels(self._source.name).inc(len(some) - posts)
        return True

    async def _add(self, entries: Sequence[Published]) -> bool:
        return await self._wait_for_room(len(entries)) and await until_done(
            "publish", partial(self._publisher.publish, entries), self._halt
        )

    async def _bury(self, refused: Sequence[Malformed]) -> bool:
        letters = [
            DeadLetter(
                "", {k.encode(): v.encode() for k, v in item.fields.items()}, item.reason, item.error, cut=item.cut
            )
            for item in refused
        ]
        for item in refused:
            REFUSED.labels(item.reason).inc()
            log.warning("not a post; it is among the dead letters", reason=item.reason, error=item.error)
        return not letters or await until_done(
            "dead letters", partial(self._dead.bury, letters, self._group), self._halt
        )

    async def _wait_for_room(self, count: int) -> bool:
        """Holds back while the workers have more posts before them than they may, and says so at both ends."""
        health = self._source.health
        room = False

        async def ask() -> None:
            nonlocal room
            room = await self._publisher.has_room(count)

        try:
            while await until_done("lag", ask, self._halt):
                if room:
                    if health.waiting:
                        log.info("the workers have caught up enough; going on", source=self._source.name)
                    return True
                if not health.waiting:
                    log.warning(
                        "waiting: the workers are behind", source=self._source.name, max_stream_lag=self._max_lag
                    )
                    health.waiting = True
                await asyncio.sleep(ROOM_POLL_S)
            return False
        finally:
            health.waiting = False

    async def _remember(self, position: str | None) -> bool:
        if position is None or time.monotonic() - self._position_at < POSITION_INTERVAL_S:
            return True
        done = await until_done(
            "position", partial(self._store.write_position, self._source.name, position), self._halt
        )
        self._position_at = time.monotonic()
        return done


@asynccontextmanager
async def first_of(*events: asyncio.Event) -> AsyncIterator[asyncio.Event]:
    """An event that is set as soon as one of them is."""
    first = asyncio.Event()

    async def watch(event: asyncio.Event) -> None:
        await event.wait()
        first.set()

    async with in_background(**{f"event {number}": watch(event) for number, event in enumerate(events)}):
        yield first


async def next_or_stop(item: Awaitable[T], stopping: asyncio.Event) -> T | None:
    """The item, or None if it is told to stop while it waits for it."""
    waiting = asyncio.ensure_future(item)
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({waiting, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if waiting.done():
        return waiting.result()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    return None
