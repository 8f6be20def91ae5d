"""The path of a batch: read, analyse, store, announce, acknowledge. The acknowledgement comes last."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

import asyncpg
from redis.asyncio import Redis

from services.common.dead_letters import DeadLetter, bury
from services.common.errors import MalformedPost, Rejected
from services.common.messages import AnalysedPost, Analysis, Post, decode_post
from services.inference.analyzer import Analyzer
from services.worker import metrics
from services.worker.announce import announce
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
class Pipeline:
    """Everything that a batch passes through. Each step may raise Transient: the batch is then simply done again."""

    consumer: Consumer
    analyzer: Analyzer
    pool: asyncpg.Pool
    redis: Redis
    stream: str

    async def process(self, entries: Sequence[Entry]) -> int:
        """Takes read entries to their acknowledgement; the number of posts that were new."""
        readable, letters = decode(entries)
        with metrics.STAGE_SECONDS.labels("analyse").time():
            analysed, rejected = await isolate(self._analyse, readable)
        with metrics.STAGE_SECONDS.labels("store").time():
            stored, unstorable = await isolate(self._store, analysed)
        letters += [dead_letter(item.entry, "rejected_by_model", error) for item, error in rejected]
        letters += [dead_letter(item.entry, "rejected_by_database", error) for item, error in unstorable]
        with metrics.STAGE_SECONDS.labels("announce").time():
            await announce(self.redis, stored)
        with metrics.STAGE_SECONDS.labels("acknowledge").time():
            await bury(self.redis, self.stream, letters)
            await self.consumer.acknowledge(entries)
        metrics.BATCH_POSTS.observe(len(entries))
        metrics.POSTS_STORED.inc(len(stored))
        metrics.POSTS_REDELIVERED.inc(len(analysed) - len(unstorable) - len(stored))
        for letter in letters:
            metrics.DEAD_LETTERS.labels(letter.reason).inc()
        return len(stored)

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
