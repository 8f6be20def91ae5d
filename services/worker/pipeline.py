"""The path of a batch: read, analyse, store, announce, acknowledge. The acknowledgement comes last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
from redis.asyncio import Redis

from services.common.dead_letters import DeadLetter, bury
from services.common.errors import MalformedPost, Rejected
from services.common.messages import Analysis, Post, decode_post
from services.inference.analyzer import Analyzer
from services.worker import metrics
from services.worker.announce import announce
from services.worker.consumer import Consumer, Entry
from services.worker.store import store


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
        readable, refused = decode(entries)
        with metrics.STAGE_SECONDS.labels("analyse").time():
            analysed, rejected = await analyse(self.analyzer, readable)
        with metrics.STAGE_SECONDS.labels("store").time():
            stored = await store(self.pool, analysed, datetime.now(UTC))
        with metrics.STAGE_SECONDS.labels("announce").time():
            await announce(self.redis, stored)
        with metrics.STAGE_SECONDS.labels("acknowledge").time():
            await bury(self.redis, self.stream, [*refused, *rejected], {})
            await self.consumer.acknowledge(entries)
        metrics.BATCH_POSTS.observe(len(entries))
        metrics.POSTS_STORED.inc(len(stored))
        metrics.POSTS_REDELIVERED.inc(len(analysed) - len(stored))
        for letter in (*refused, *rejected):
            metrics.DEAD_LETTERS.labels(letter.reason).inc()
        return len(stored)


Readable = list[tuple[Entry, Post]]


def decode(entries: Sequence[Entry]) -> tuple[Readable, list[DeadLetter]]:
    """The posts of the entries, and what is no post, with the reason."""
    readable: Readable = []
    refused = []
    for entry in entries:
        try:
            readable.append((entry, decode_post(entry.fields)))
        except MalformedPost as error:
            refused.append(DeadLetter(entry.stream_id, entry.fields, error.reason, str(error)))
    return readable, refused


async def analyse(analyzer: Analyzer, readable: Readable) -> tuple[list[tuple[Post, Analysis]], list[DeadLetter]]:
    """Every post with its analysis, but for those that the models refuse.

    One bad row fails its whole request, so a refused batch is halved until the bad post stands alone: its neighbours
    pass.
    """
    try:
        analyses = await analyzer.analyse([post.content for _, post in readable])
    except Rejected as error:
        if len(readable) == 1:
            entry = readable[0][0]
            return [], [DeadLetter(entry.stream_id, entry.fields, "rejected_by_model", str(error))]
        middle = len(readable) // 2
        first, first_refused = await analyse(analyzer, readable[:middle])
        second, second_refused = await analyse(analyzer, readable[middle:])
        return first + second, first_refused + second_refused
    return [(post, analysis) for (_, post), analysis in zip(readable, analyses, strict=True)], []
