"""Items into the stream, and what becomes of each."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from services.api.exports.slots import Slots
from services.api.ingest.body import Raw
from services.api.ingest.metrics import IngestMetrics
from services.api.ingest.repeats import Repeats
from services.api.schemas.ingest import Result
from services.common.errors import MalformedPost, UndertoneError
from services.common.messages import MAX_POST_ID_CHARS, Post
from services.common.publisher import Publisher
from services.common.rules import Reason, Rules
from services.ingester.sources.base import MAX_BATCH_POSTS
from services.ingester.sources.files.jsonl import fields_of
from services.ingester.sources.files.lines import MAX_LINE_BYTES
from services.ingester.sources.files.records import post_of


class Behind(UndertoneError):
    """The workers have as many posts before them as may be."""


class Intake:
    """The way in of one API process. `repeats`: what was answered before. `rules`: what is let in."""

    def __init__(
        self,
        publisher: Publisher,
        metrics: IngestMetrics,
        slots: Slots,
        repeats: Repeats,
        *,
        rules: Rules,
        max_lag: int,
    ) -> None:
        self.metrics = metrics
        self.repeats = repeats
        self.rules = rules
        self._slots = slots
        self._publisher = publisher
        # Of posts: in an array no more than may ever wait, of a stream so many at once.
        self.max_posts = max_lag
        self.at_once = min(MAX_BATCH_POSTS, max_lag)
        # A publisher remembers of one request whether replicas have answered; and nobody takes the room that another
        # one was told of.
        self._turn = asyncio.Lock()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """One of those that there are for requests with posts; HTTPException (429) if there is none."""
        if self._slots.are_taken:
            self.metrics.refused.labels("full").inc()
        with self._slots.one():
            yield

    async def publish(self, posts: Sequence[Post]) -> None:
        """Behind, and none of them is in the stream, if it has no room for all; Transient if some may be missing."""
        if not posts:
            return
        async with self._turn:
            if not await self._publisher.has_room(len(posts)):
                raise Behind("the workers are behind")
            for start in range(0, len(posts), self.at_once):
                await self._publisher.publish(posts[start : start + self.at_once])


class Items:
    """The items of one request. Those with the post_id of one before are not published again."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.results: list[Result] = []
        # Items of which everything was done.
        self.done = 0
        self._ids: set[str] = set()

    def judge(self, raws: Sequence[Raw]) -> list[Post]:
        """The posts that are to be published, masked; each item has its result."""
        posts: list[Post] = []
        for index, raw in enumerate(raws, len(self.results)):
            fields: dict[str, str | None] = {}
            try:
                fields = _fields(raw)
                post = post_of(fields)
            except MalformedPost as error:
                self.results.append(_rejected(index, error, fields.get("post_id")))
                continue
            if post.post_id in self._ids:
                self.results.append(Result(index, "duplicate", post.post_id))
                continue
            verdict = self._rules.judge(post)
            if not isinstance(verdict, Post):
                self.results.append(_kept_out(index, verdict, post.post_id))
                continue
            self.results.append(Result(index, "accepted", post.post_id))
            self._ids.add(post.post_id)
            posts.append(verdict)
        return posts


def _fields(raw: Raw) -> dict[str, str | None]:
    if len(memoryview(raw)) > MAX_LINE_BYTES:
        raise MalformedPost("line_too_long", f"the line has more than {MAX_LINE_BYTES:,} bytes")
    return fields_of(raw, "it")


def _kept_out(index: int, reason: Reason, post_id: str) -> Result:
    return Result(index, "rejected", post_id, f"rule_{reason}", None, f"a rule of this server keeps it out: {reason}")


def _rejected(index: int, error: MalformedPost, post_id: str | None) -> Result:
    known = post_id if post_id and len(post_id) <= MAX_POST_ID_CHARS and error.field != "post_id" else None
    return Result(index, "rejected", known, error.reason, error.field or None, str(error))
