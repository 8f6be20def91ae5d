"""What is recorded of a post's way: a little for each post, and what it shares with those it was analysed with."""

import itertools
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from services.common.partitions import SEQUENCE_BITS, first_id_at
from services.inference.analyzer import Course, Inferred
from services.worker.consumer import Entry

# What the column holds: 24 days. Beyond it the post tells that it is old by itself.
MAX_READ_AFTER_MS = 2**31 - 1


# Tells calls of one millisecond apart; from another place on in each process.
_number = itertools.count(secrets.randbelow(1 << SEQUENCE_BITS))


@dataclass(frozen=True)
class Passage:
    """A call of the models: by which worker, over how many posts, and how it went. `id` is that of its row."""

    id: int
    worker: str
    posts: int
    course: Course


def passage(worker: str, posts: int, course: Course) -> Passage:
    """One that ended just now. Its id begins with the time, as a post's does: with the posts of a day goes its row."""
    number = next(_number) % (1 << SEQUENCE_BITS)
    return Passage(first_id_at(datetime.now(UTC)) | number, worker, posts, course)


class Journey(NamedTuple):
    """`queued_ms`: when the post came into the stream, since the epoch; `read_after_ms`: how much later it was read.

    None where the stream's id tells no time, or one of long ago.
    """

    queued_ms: int | None
    read_after_ms: int | None
    passage: Passage


def journey(entry: Entry, passage: Passage) -> Journey:
    """The way of an entry that was analysed in this passage."""
    queued_ms = entry.queued_ms
    if queued_ms is None:
        return Journey(None, None, passage)
    # Two clocks, Redis's and ours, may disagree: nothing is read before it is there.
    after_ms = max(0, int(entry.read_at * 1_000) - queued_ms)
    return Journey(queued_ms, after_ms if after_ms <= MAX_READ_AFTER_MS else None, passage)


def row(passage: Passage) -> tuple[object, ...]:
    """Its values in the order of `store`'s statement; moments in seconds since the epoch."""
    course = passage.course
    return (
        passage.id,
        passage.worker,
        passage.posts,
        course.tokenized_at,
        course.sentiment.at,
        course.emotion.at,
        course.tokenize_ms,
        course.sentiment.took_ms,
        course.emotion.took_ms,
        *_split(course.sentiment),
        *_split(course.emotion),
        course.sentiment.requests,
        course.emotion.requests,
    )


def _split(inferred: Inferred) -> tuple[float | None, float | None]:
    return (inferred.split.queue_ms, inferred.split.compute_ms) if inferred.split else (None, None)
