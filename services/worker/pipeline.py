"""The steps of a batch: analyse, store, announce and acknowledge. The acknowledgement comes last.

Each step may raise Transient: it is then simply done again.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

import asyncpg
from redis.asyncio import Redis

from services.common.dead_letters import DeadLetter, bury
from services.common.errors import MalformedPost, Rejected
from services.common.messages import AnalysedPost, Analysis, Post, decode_post
from services.inference.analyzer import Analyzer
from services.worker import metrics
from services.worker.announce import announcement
from services.worker.consumer import Consumer, Entry
from services.worker.store import store

Item = TypeVar("Item")
Result = TypeVar("Result")


class Readable(NamedTuple):
    entry: Entry
    post: Post


class Analysed(NamedTuple):
    entry: Entry
    post: Post
    analysis: Analysis


@dataclass(frozen=True)
class Batch:
    """Entries that were read: those that could be analysed, and the letters of those that were refused so far."""

    entries: Sequence[Entry] = ()
    analysed: Sequence[Analysed] = ()
    letters: Sequence[DeadLetter] = ()


@dataclass(frozen=True)
class Stored:
    """What the database made of a batch: the posts that were new, and the letters of those that it refused."""

    new: Sequence[AnalysedPost]
    redelivered: int
    letters: Sequence[DeadLetter] = field(default=())


def merged(batches: Sequence[Batch]) -> Batch:
    """All of them as one, in their order."""
    if len(batches) == 1:
        return batches[0]
    return Batch(
        [entry for batch in batches for entry in batch.entries],
        [item for batch in batches for item in batch.analysed],
        [letter for batch in batches for letter in batch.letters],
    )


@dataclass(frozen=True)
class Pipeline:
    """What a batch passes through."""

    consumer: Consumer
    analyzer: Analyzer
    pool: asyncpg.Pool
    redis: Redis
    stream: str

    async def analyse(self, entries: Sequence[Entry]) -> Batch:
        """Both models over the posts among the entries."""
        readable, malformed = decode(entries)
        with metrics.STAGE_SECONDS.labels("analyse").time():
            analysed, rejected = await isolate(self._analyse, readable)
        letters = [dead_letter(item.entry, "rejected_by_model", error) for item, error in rejected]
        return Batch(entries, analysed, [*malformed, *letters])

    async def store(self, batch: Batch) -> Stored:
        """Posts, analyses and roll-ups, in one transaction unless something in it is refused."""
        with metrics.STAGE_SECONDS.labels("store").time():
            new, refused = await isolate(self._store, batch.analysed)
        metrics.POSTS_STORED.inc(len(new))
        letters = [dead_letter(item.entry, "rejected_by_database", error) for item, error in refused]
        return Stored(new, len(batch.analysed) - len(refused) - len(new), letters)

    async def acknowledge(self, batch: Batch, stored: Stored) -> None:
        """Tells everybody, then Redis that the entries are done."""
        letters = [*batch.letters, *stored.letters]
        with metrics.STAGE_SECONDS.labels("acknowledge").time():
            # Burying acknowledges the letters' entries itself. Acknowledged here, they would be lost where it found no
            # group: the one that is made again gives them again.
            await bury(self.redis, self.stream, letters, self.consumer.group)
            buried = {letter.stream_id for letter in letters}
            self.consumer.let_go(buried)
            done = [entry for entry in batch.entries if entry.stream_id not in buried]
            await self.consumer.acknowledge(done, announcement(stored.new))
        metrics.BATCH_POSTS.observe(len(batch.entries))
        metrics.POSTS_REDELIVERED.inc(stored.redelivered)
        for letter in letters:
            metrics.DEAD_LETTERS.labels(letter.reason).inc()

    async def _analyse(self, readable: Sequence[Readable]) -> list[Analysed]:
        analyses = await self.analyzer.analyse([item.post.content for item in readable])
        return [Analysed(i.entry, i.post, analysis) for i, analysis in zip(readable, analyses, strict=True)]

    async def _store(self, analysed: Sequence[Analysed]) -> list[AnalysedPost]:
        return await store(self.pool, [(item.post, item.analysis) for item in analysed], datetime.now(UTC))


def decode(entries: Sequence[Entry]) -> tuple[list[Readable], list[DeadLetter]]:
    """The posts of the entries, and what is no post, with the reason."""
    readable = []
    refused = []
    for entry in entries:
        try:
            readable.append(Readable(entry, decode_post(entry.fields)))
        except MalformedPost as error:
            refused.append(dead_letter(entry, error.reason, error))
    return readable, refused


def dead_letter(entry: Entry, reason: str, error: Exception) -> DeadLetter:
    return DeadLetter(entry.stream_id, entry.fields, reason, str(error))


async def isolate(
    action: Callable[[Sequence[Item]], Awaitable[list[Result]]], items: Sequence[Item]
) -> tuple[list[Result], list[tuple[Item, Rejected]]]:
    """What `action` gives for all items but those that it refuses, and these with their errors.

    One bad item fails its whole batch, so a refused batch is halved until the bad one stands alone: its neighbours
    pass. Transient goes through: nobody is to blame for it.
    """
    try:
        return await action(items), []
    except Rejected as error:
        if len(items) == 1:
            return [], [(items[0], error)]
        middle = len(items) // 2
        first, first_refused = await isolate(action, items[:middle])
        second, second_refused = await isolate(action, items[middle:])
        return first + second, first_refused + second_refused
