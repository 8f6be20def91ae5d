"""The steps of a batch: analyse, store and delete, announce and acknowledge. The acknowledgement comes last.

Each step may raise Transient: it is then simply done again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg
from opentelemetry.trace import SpanKind

from services.common.circuit import Circuit
from services.common.dead_letters import DeadLetter, DeadLetters
from services.common.deletions import delete_posts, note_authors, of_deleted_authors
from services.common.errors import MalformedPost, Rejected, Transient
from services.common.messages import AnalysedPost, Analysis, AuthorDeletion, Deletion, Post, decode_entry
from services.common.streams import RESULTS_CHANNEL
from services.common.traces import child, shared
from services.inference.analyzer import Analyzer
from services.worker import metrics, post_traces
from services.worker.announce import announcement
from services.worker.consumer import MAX_DELIVERIES, Entry, Reader
from services.worker.isolation import Isolation
from services.worker.journey import Journey, journey, passage
from services.worker.post_traces import NO_SPANS, Spans
from services.worker.store import store

_STORING = {
    "db.system.name": "postgresql",
    "db.operation.name": "INSERT",
    "db.collection.name": "social_media_posts",
}
_DELETING = {
    "db.system.name": "postgresql",
    "db.operation.name": "DELETE",
    "db.collection.name": "social_media_posts",
}
_ANNOUNCING = {
    "messaging.system": "redis",
    "messaging.operation.name": "publish",
    "messaging.operation.type": "publish",
    "messaging.destination.name": RESULTS_CHANNEL,
}


class Readable(NamedTuple):
    entry: Entry
    post: Post


class Deleting(NamedTuple):
    entry: Entry
    deletion: Deletion | AuthorDeletion


class Analysed(NamedTuple):
    entry: Entry
    post: Post
    analysis: Analysis
    journey: Journey


@dataclass(frozen=True)
class Batch:
    """Entries that were read: those that could be analysed, those that delete something, and the letters of those that
    were refused so far.

    `spans`: of those that are traced.
    """

    entries: Sequence[Entry] = ()
    analysed: Sequence[Analysed] = ()
    deleting: Sequence[Deleting] = ()
    letters: Sequence[DeadLetter] = ()
    spans: Spans = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    """What the database made of a batch: the posts that were new, and the letters of those that it refused.

    `deleted`: ids of the posts that were stored, in this batch or long ago, and are deleted now.
    """

    new: Sequence[AnalysedPost]
    redelivered: int
    letters: Sequence[DeadLetter] = field(default=())
    deleted: Sequence[str] = ()


def merged(batches: Sequence[Batch]) -> Batch:
    """All of them as one, in their order."""
    if len(batches) == 1:
        return batches[0]
    return Batch(
        [entry for batch in batches for entry in batch.entries],
        [item for batch in batches for item in batch.analysed],
        [item for batch in batches for item in batch.deleting],
        [letter for batch in batches for letter in batch.letters],
        {key: span for batch in batches for key, span in batch.spans.items()},
    )


class Pipeline:
    """What a batch passes through."""

    def __init__(
        self,
        consumer: Reader,
        analyzer: Analyzer,
        pool: asyncpg.Pool,
        dead: DeadLetters,
        *,
        triton: Circuit,
        postgres: Circuit,
    ) -> None:
        self._consumer = consumer
        self._analyzer = analyzer
        self._pool = pool
        self._dead = dead
        self._triton = triton
        self._analysis = Isolation(self._analyse, triton, "analyse", probe_is_proof=True)
        self._storage = Isolation(self._store, postgres, "store", probe_is_proof=False)
        self._lateness = Isolation(self._delete_late, postgres, "delete", probe_is_proof=False)
        self._deletion = Isolation(self._delete, postgres, "delete", probe_is_proof=False)

    def trace(self, entries: Sequence[Entry]) -> Spans:
        """Spans of the traced posts among them; `acknowledge` ends those that `analyse` is given."""
        return post_traces.begin(entries, self._consumer.group)

    async def analyse(self, entries: Sequence[Entry], spans: Spans = NO_SPANS) -> Batch:
        """Both models over the posts among the entries; waits while they are away. A suspect has to come alone."""
        readable, deleting, letters = decode(entries)
        if entries and entries[0].is_suspect:
            (suspect,) = entries
            if suspect.deliveries > MAX_DELIVERIES:
                return Batch(entries, (), (), letters or [never_acknowledged(suspect)], spans)
            # Waiting for a server is no reason to die of it: only what is tried counts.
            await self._triton.confirm()
            await self._consumer.count_delivery(suspect)
        with metrics.STAGE_SECONDS.labels("analyse").time(), shared([*spans.values()]):
            analysed, blamed = await self._analysis.run(readable)
        letters += [letter_of(item.entry, "model", error) for item, error in blamed]
        return Batch(entries, analysed, deleting, letters, spans)

    async def store(self, batch: Batch) -> Stored:
        """Posts, analyses and roll-ups, in one transaction unless something is refused; waits for the database.

        Then deletes what is to be deleted, with posts of this very batch among it perhaps. What deleted authors wrote
        is stored first, so that who notes one at that moment finds it, or is found.
        """
        with metrics.STAGE_SECONDS.labels("store").time(), shared([*batch.spans.values()]):
            new, blamed = await self._storage.run(batch.analysed)
            metrics.POSTS_STORED.inc(len(new))
            late, blamed_late = await self._lateness.run(batch.analysed)
            deleted, not_deleted = await self._deletion.run(batch.deleting)
            deleted += late
        metrics.POSTS_DELETED.inc(len(deleted))
        redelivered = len(batch.analysed) - len(blamed) - len(new)
        letters = [letter_of(item.entry, "database", error) for item, error in (*blamed, *blamed_late)]
        letters += [letter_of(item.entry, "database", error) for item, error in not_deleted]
        gone = set(deleted)
        return Stored([post for post in new if post.post.post_id not in gone], redelivered, letters, deleted)

    async def acknowledge(self, batch: Batch, stored: Stored) -> None:
        """Tells everybody, then Redis that the entries are done."""
        letters = [*batch.letters, *stored.letters]
        with metrics.STAGE_SECONDS.labels("acknowledge").time(), shared([*batch.spans.values()]):
            # Burying acknowledges the letters' entries itself. Acknowledged here, they would be lost where it found no
            # group: the one that is made again gives them again.
            await self._dead.bury(letters, self._consumer.group)
            buried = {(letter.stream, letter.stream_id) for letter in letters}
            self._consumer.let_go(entry for entry in batch.entries if entry.key in buried)
            done = [entry for entry in batch.entries if entry.key not in buried]
            with child(f"publish {RESULTS_CHANNEL}", _ANNOUNCING, SpanKind.PRODUCER) as span:
                await self._consumer.acknowledge(done, announcement(stored.new, stored.deleted, span))
        post_traces.refuse(batch.spans, letters)
        post_traces.end(batch.spans)
        metrics.BATCH_POSTS.observe(len(batch.entries))
        metrics.POSTS_REDELIVERED.inc(stored.redelivered)
        for letter in letters:
            metrics.DEAD_LETTERS.labels(letter.reason).inc()

    async def _analyse(self, readable: Sequence[Readable]) -> list[Analysed]:
        analyses, course = await self._analyzer.analyse_timed([item.post.content for item in readable])
        shared = passage(self._consumer.name, len(readable), course)
        return [
            Analysed(i.entry, i.post, analysis, journey(i.entry, shared))
            for i, analysis in zip(readable, analyses, strict=True)
        ]

    async def _store(self, analysed: Sequence[Analysed]) -> list[AnalysedPost]:
        journeys = [item.journey for item in analysed]
        posts = [(item.post, item.analysis) for item in analysed]
        with child("INSERT social_media_posts", _STORING | {"undertone.posts": len(posts)}, SpanKind.CLIENT):
            return await store(self._pool, posts, datetime.now(UTC), journeys)

    async def _delete(self, deleting: Sequence[Deleting]) -> list[str]:
        said = [item.deletion for item in deleting]
        ids = [deletion.post_id for deletion in said if isinstance(deletion, Deletion)]
        await note_authors(self._pool, [each for each in said if isinstance(each, AuthorDeletion)])
        with child("DELETE social_media_posts", _DELETING | {"undertone.posts": len(ids)}, SpanKind.CLIENT):
            return await delete_posts(self._pool, ids)

    async def _delete_late(self, analysed: Sequence[Analysed]) -> list[str]:
        return await delete_posts(self._pool, await of_deleted_authors(self._pool, [item.post for item in analysed]))


def decode(entries: Sequence[Entry]) -> tuple[list[Readable], list[Deleting], list[DeadLetter]]:
    """The posts of the entries, the deletions, and what is neither, with the reason."""
    readable = []
    deleting = []
    refused = []
    for entry in entries:
        try:
            said = decode_entry(entry.fields)
        except MalformedPost as error:
            refused.append(dead_letter(entry, error.reason, error))
        else:
            if not isinstance(said, Post):
                deleting.append(Deleting(entry, said))
            else:
                readable.append(Readable(entry, said))
    return readable, deleting, refused


def dead_letter(entry: Entry, reason: str, error: object) -> DeadLetter:
    return DeadLetter(entry.stream_id, entry.fields, reason, str(error), entry.deliveries, stream=entry.stream)


def letter_of(entry: Entry, whom: str, error: Rejected | Transient) -> DeadLetter:
    """`rejected_by_…`: it said no. `breaks_…`: it answers everybody else, and breaks on this post again and again."""
    return dead_letter(entry, f"{'rejected_by' if isinstance(error, Rejected) else 'breaks'}_{whom}", error)


def never_acknowledged(entry: Entry) -> DeadLetter:
    """This time it is not tried: the letter tells of the deliveries before."""
    tried = replace(entry, deliveries=entry.deliveries - 1)
    error = f"delivered {tried.deliveries} times, in the end alone, and no worker lived to acknowledge it"
    return dead_letter(tried, "never_acknowledged", error)
