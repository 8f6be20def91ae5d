"""Even samples of the posts of two windows: short pieces all over each, found by id, so that none is read whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, log2

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.api.queries.connection import connection
from services.api.queries.rollups import LABEL_SUMS, cover, read_progress, read_sums, since
from services.api.words.rising import Sampled
from services.api.words.tokens import MAX_TEXT_CHARS
from services.common.moments import EPOCH, MILLISECOND, MINUTE
from services.common.partitions import first_id_at

# Posts of a window that are counted, at most, and that are read where only those of one sentiment are counted.
SAMPLE_POSTS = 2_000
READ_POSTS = 6_000
# A burst may lie in a piece: what is read in any case.
MOST_READ_POSTS = 10_000
# A window is cut into so many slices, and a piece of each is read.
SLICES = 100
NONE = (0, 0)
_GOLDEN_RATIO = 0.618033988749895

_SAMPLE = """
    SELECT p.source, p.author, p.content, a.sentiment_label
      FROM unnest($1::bigint[], $2::bigint[]) AS pieces (first, beyond)
     CROSS JOIN LATERAL (
           SELECT id, source, author, left(content, $3::int) AS content FROM social_media_posts
            WHERE id >= pieces.first AND id < pieces.beyond AND id >= $4 AND id < $5
              AND ($6::text IS NULL OR source = $6) ORDER BY id LIMIT $7) AS p
     CROSS JOIN LATERAL (
           SELECT sentiment_label FROM sentiment_analysis
            WHERE post_row_id = p.id AND post_row_id >= $4 AND post_row_id < $5 AND is_current LIMIT 1) AS a
     LIMIT $8
"""


@dataclass(frozen=True)
class WindowSample:
    """`share`: how much of the posts asked for `posts` are."""

    posts: Sequence[Sampled]
    share: float


async def read_samples(
    pool: asyncpg.Pool, minutes: int, source: str | None, sentiment: str | None
) -> tuple[WindowSample, WindowSample]:
    """Of the posts ingested in the last `minutes`, and of those in as many before them."""
    length = minutes * MINUTE
    async with connection(pool) as held:
        progress = await read_progress(held)
        edge, end = since(progress, length)
        rows = await read_sums(
            held,
            "sentiment",
            [*cover(edge - length, edge, progress), *cover(edge, end, progress)],
            keys=("bucket >= $1::timestamptz AS is_current",),
            sums=LABEL_SUMS,
            arguments=(edge,),
            source=source,
        )
        counts = {row["is_current"]: (row[sentiment or "total"], row["total"]) for row in rows}
        samples = [
            await _sample(held, start, beyond, counts.get(is_current, NONE), source=source, sentiment=sentiment)
            for start, beyond, is_current in ((edge, end, True), (edge - length, edge, False))
        ]
    return samples[0], samples[1]


async def _sample(
    held: PoolConnectionProxy,
    start: datetime,
    end: datetime,
    counts: tuple[int, int],
    *,
    source: str | None,
    sentiment: str | None,
) -> WindowSample:
    matching, total = counts
    if not matching:
        return WindowSample((), 1.0)
    pieces = pieces_of(start, end, share_of(matching, total))
    rows = await held.fetch(
        _SAMPLE,
        [first for first, _ in pieces],
        [beyond for _, beyond in pieces],
        MAX_TEXT_CHARS,
        pieces[0][0],
        pieces[-1][1],
        source,
        READ_POSTS,
        MOST_READ_POSTS,
    )
    posts = [Sampled(*row) for row in rows if sentiment in (None, row["sentiment_label"])]
    posts = posts[:: ceil(len(posts) / SAMPLE_POSTS) or 1]
    return WindowSample(posts, min(1.0, len(posts) / matching))


def share_of(matching: int, total: int) -> float:
    """How much of the time to read: a power of two, so that it stays the same while posts arrive."""
    return 2.0 ** -max(0, ceil(log2(max(matching / SAMPLE_POSTS, total / READ_POSTS, 1))))


def pieces_of(start: datetime, end: datetime, share: float) -> list[tuple[int, int]]:
    """Ranges of ids that are together `share` of the time, in order; all of it as one.

    They stand still while the window moves on: what is asked a moment later is read from nearly the same posts.
    """
    if share >= 1:
        return [(first_id_at(start), first_id_at(end))]
    first_ms, beyond_ms = (start - EPOCH) // MILLISECOND, (end - EPOCH) // MILLISECOND
    slice_ms = max(1, (beyond_ms - first_ms) // SLICES)
    piece_ms = max(1, round(slice_ms * share))
    pieces = []
    for number in range(first_ms // slice_ms, beyond_ms // slice_ms + 1):
        # Not at the same place in each slice: what comes every hour on the hour would be in all of them, or in none.
        piece = number * slice_ms + int((number * _GOLDEN_RATIO) % 1 * (slice_ms - piece_ms))
        begin, beyond = max(piece, first_ms), min(piece + piece_ms, beyond_ms)
        if begin < beyond:
            pieces.append((first_id_at(EPOCH + begin * MILLISECOND), first_id_at(EPOCH + beyond * MILLISECOND)))
    return pieces
