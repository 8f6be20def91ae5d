"""A page of posts, and how many there are."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.api.queries.connection import connection
from services.api.queries.find import Found, find
from services.api.queries.rollups import cover, ever, read_progress, read_sums
from services.api.queries.statements import CONFIDENCE_DIGITS, has_confidences
from services.api.schemas.general import Post, PostFilters, PostSentiment

# Matches of a search are counted up to here: nobody reads on, and a bound on the work has to be somewhere.
MAX_COUNTED = 1_000

_LOAD = """
    SELECT p.id, p.post_id, p.source, p.content, p.author, p.created_at, p.ingested_at,
           a.sentiment_label, a.confidence_score, a.emotion, a.emotion_confidence, a.model_name, a.model_version
      FROM social_media_posts p
      LEFT JOIN sentiment_analysis a ON a.post_row_id = p.id AND a.is_current
       AND a.post_row_id = ANY ($1::bigint[]) AND a.post_row_id >= $2 AND a.post_row_id <= $3
     WHERE p.id = ANY ($1::bigint[]) AND p.id >= $2 AND p.id <= $3 ORDER BY p.id DESC
"""


@dataclass(frozen=True)
class Page:
    """`next_before`: the id before which the next page begins; None: there is none.

    `total`: how many match, where reading the page has told; otherwise `count_posts` has to.
    """

    posts: list[Post]
    next_before: int | None
    total: "Total | None"


@dataclass(frozen=True)
class Total:
    """`exact`, or at least so many."""

    posts: int
    exact: bool


async def read_posts(
    pool: asyncpg.Pool, filters: PostFilters, *, before_id: int | None, limit: int, offset: int
) -> Page:
    """A page, newest first. It may be short, even empty, and still have a next one: see `find`."""
    # One more than asked for tells whether there is a next page.
    needed = offset + limit + 1
    # What only the posts can tell is counted along with the first page, instead of a second time.
    counted = MAX_COUNTED + 1 if before_id is None and is_for_posts_alone(filters) else 0
    async with connection(pool) as held:
        found = await find(held, filters, before_id, needed, counted)
        ids = found.ids[offset : offset + limit]
        posts = await load(held, ids)
    more = len(found.ids) >= needed
    is_end = not more and found.resume_before is None
    told = before_id is None and (counted or is_end)
    total = _total(found, max(needed, counted)) if told else None
    return Page(posts, ids[-1] if more else found.resume_before, total)


async def count_posts(pool: asyncpg.Pool, filters: PostFilters) -> Total:
    """Posts that match the filters: from the roll-ups where they know, else counted within bounds."""
    async with connection(pool) as held:
        if is_for_posts_alone(filters):
            return _total(await find(held, filters, None, 0, MAX_COUNTED + 1), MAX_COUNTED + 1)
        progress = await read_progress(held)
        rows = await read_sums(
            held,
            "emotion" if filters.emotion else "sentiment",
            cover(*ever(progress), progress),
            source=filters.source,
            label=filters.sentiment,
            emotion=filters.emotion,
        )
    return Total(rows[0]["posts"] or 0, exact=True)


def is_for_posts_alone(filters: PostFilters) -> bool:
    """Whether no roll-up knows how many posts pass the filters."""
    return bool(filters.search or filters.start_date or filters.end_date or has_confidences(filters))


def _total(found: Found, looked_for: int) -> Total:
    return Total(min(len(found.ids), looked_for - 1), found.resume_before is None and len(found.ids) < looked_for)


async def load(held: PoolConnectionProxy, ids: Sequence[int]) -> list[Post]:
    """The posts of these ids, which fall; those that are gone are left out."""
    rows = await held.fetch(_LOAD, ids, ids[-1], ids[0]) if ids else []
    return [_post(row) for row in rows]


def _post(row: asyncpg.Record) -> Post:
    sentiment = row["sentiment_label"] and PostSentiment(
        label=row["sentiment_label"],
        confidence=round(row["confidence_score"], CONFIDENCE_DIGITS),
        emotion=row["emotion"],
        emotion_confidence=row["emotion_confidence"] and round(row["emotion_confidence"], CONFIDENCE_DIGITS),
        model_name=row["model_name"],
        model_version=row["model_version"],
    )
    return Post(
        post_id=row["post_id"],
        source=row["source"],
        content=row["content"],
        author=row["author"],
        created_at=row["created_at"],
        ingested_at=row["ingested_at"],
        sentiment=sentiment,
    )
