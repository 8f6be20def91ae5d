"""Emotions over time, by time of ingestion."""

from collections import Counter
from datetime import datetime

import asyncpg
import msgspec

from services.api.queries.connection import connection
from services.api.queries.rollups import counted_to, cover, read_progress, read_sums
from services.api.time_range import TimeRange

NAMED_EMOTIONS = 10
# The rest in sum; a model's own emotion of this name is part of it.
OTHER = "other"


class EmotionRow(msgspec.Struct, frozen=True, gc=False):
    """An `EmotionBucket`, but cheap."""

    timestamp: datetime
    counts: list[int]
    total: int


async def read_emotions(pool: asyncpg.Pool, span: TimeRange, source: str | None) -> tuple[list[str], list[EmotionRow]]:
    """The emotions, most frequent first, and every bucket of the range with its posts of each of them."""
    async with connection(pool) as held:
        progress = await read_progress(held)
        rows = await read_sums(
            held,
            "emotion",
            cover(span.start, counted_to(span.end, progress), progress, coarsest=span.width),
            keys=("date_bin($1::interval, bucket, $2::timestamptz) AS bucket", "emotion"),
            arguments=(span.width, span.start),
            source=source,
        )
    by_bucket: dict[datetime, Counter[str]] = {}
    for bucket, emotion, posts in rows:
        by_bucket.setdefault(bucket, Counter())[emotion] += posts
    emotions = named(sum(by_bucket.values(), Counter()))
    empty: Counter[str] = Counter()
    moments = (span.start + number * span.width for number in range(span.buckets))
    return emotions, [_bucket(moment, by_bucket.get(moment, empty), emotions) for moment in moments]


def named(posts: Counter[str]) -> list[str]:
    """The most frequent emotions, then OTHER if there are more. Posts without an emotion, "", are of none."""
    frequent = sorted(posts.keys() - {"", OTHER}, key=lambda emotion: (-posts[emotion], emotion))
    has_others = OTHER in posts or len(frequent) > NAMED_EMOTIONS
    return [*frequent[:NAMED_EMOTIONS], *([OTHER] if has_others else [])]


def _bucket(timestamp: datetime, posts: Counter[str], emotions: list[str]) -> EmotionRow:
    total = posts.total()
    counts = [posts[emotion] for emotion in emotions if emotion != OTHER]
    if OTHER in emotions:
        counts.append(total - posts[""] - sum(counts))
    return EmotionRow(timestamp, counts, total)
