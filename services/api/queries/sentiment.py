"""Sentiment over time and in sum, by time of ingestion: replays carry old `created_at`, charts follow arrival."""

from collections import Counter
from datetime import datetime, timedelta

import asyncpg
import msgspec

from services.api.queries.connection import connection
from services.api.queries.rollups import LABEL_SUMS, counted_to, cover, read_progress, read_sums, since
from services.api.schemas.general import Counts, Percentages

TOP_EMOTIONS = 10

_BUCKET_SUMS = (*LABEL_SUMS, "sum(confidence_sum) AS confidence_sum")


class BucketRow(msgspec.Struct, frozen=True, gc=False):
    """A `schemas.Bucket`, but cheap: of thousands of models at once the garbage collector would make a pause."""

    timestamp: datetime
    positive_count: int = 0
    negative_count: int = 0
    neutral_count: int = 0
    total_count: int = 0
    positive_percentage: float = 0.0
    negative_percentage: float = 0.0
    neutral_percentage: float = 0.0
    average_confidence: float = 0.0


def percentage(part: int, whole: int) -> float:
    """0 to 100 with two digits; 0 of nothing."""
    return round(100 * part / whole, 2) if whole else 0.0


async def read_buckets(
    pool: asyncpg.Pool, start: datetime, end: datetime, width: timedelta, source: str | None
) -> list[BucketRow]:
    """Every bucket from `start` (where one begins) to before `end`, those without posts as zeros."""
    async with connection(pool) as held:
        progress = await read_progress(held)
        rows = await read_sums(
            held,
            "sentiment",
            cover(start, counted_to(end, progress), progress, coarsest=width),
            keys=("date_bin($1::interval, bucket, $2::timestamptz) AS bucket",),
            sums=_BUCKET_SUMS,
            arguments=(width, start),
            source=source,
        )
    by_bucket = {row["bucket"]: row for row in rows}
    count = -(-(end - start) // width)
    return [_bucket(moment, by_bucket.get(moment)) for moment in (start + i * width for i in range(count))]


def _bucket(timestamp: datetime, row: asyncpg.Record | None) -> BucketRow:
    if row is None:
        return BucketRow(timestamp)
    _, positive, negative, neutral, total, confidence_sum = row
    return BucketRow(
        timestamp,
        positive,
        negative,
        neutral,
        total,
        percentage(positive, total),
        percentage(negative, total),
        percentage(neutral, total),
        round(confidence_sum / total, 4),
    )


async def read_distribution(
    pool: asyncpg.Pool, hours: int, source: str | None
) -> tuple[Counts, int, Percentages, dict[str, int]]:
    """Counts by label, their total, percentages, and the most frequent emotions in falling order."""
    async with connection(pool) as held:
        progress = await read_progress(held)
        parts = cover(*since(progress, timedelta(hours=hours)), progress)
        rows = await read_sums(held, "emotion", parts, keys=("sentiment_label", "emotion"), source=source)
    labels: Counter[str] = Counter()
    emotions: Counter[str] = Counter()
    for row in rows:
        labels[row["sentiment_label"]] += row["posts"]
        if row["emotion"]:
            emotions[row["emotion"]] += row["posts"]
    total = labels.total()
    counts = Counts(positive=labels["positive"], negative=labels["negative"], neutral=labels["neutral"])
    shares = Percentages(**{label: percentage(count, total) for label, count in counts.model_dump().items()})
    top = sorted(emotions.items(), key=lambda item: (-item[1], item[0]))[:TOP_EMOTIONS]
    return counts, total, shares, dict(top)
