"""Sentiment over time and in sum, by time of ingestion: replays carry old `created_at`, charts follow arrival."""

from datetime import datetime, timedelta

import asyncpg

from services.api.queries.connection import CURRENT_ANALYSES, connection
from services.api.schemas import Bucket, Counts, Percentages

TOP_EMOTIONS = 10

_BY_LABEL = ", ".join(
    f"count(*) FILTER (WHERE sentiment_label = '{label}') AS {label}" for label in ("positive", "negative", "neutral")
)
_BUCKETS = f"""
    SELECT date_bin($1, ingested_at, $2) AS bucket, {_BY_LABEL}, count(*) AS total, avg(confidence_score) AS confidence
      FROM {CURRENT_ANALYSES}
     WHERE ingested_at >= $2 AND ingested_at < $3 AND ($4::text IS NULL OR source = $4)
     GROUP BY 1
"""
_SINCE = "ingested_at > now() - $1::interval AND ($2::text IS NULL OR source = $2)"
_DISTRIBUTION = f"SELECT {_BY_LABEL}, count(*) AS total FROM {CURRENT_ANALYSES} WHERE {_SINCE}"
_EMOTIONS = f"""
    SELECT emotion, count(*) AS posts FROM {CURRENT_ANALYSES} WHERE {_SINCE} AND emotion IS NOT NULL
     GROUP BY emotion ORDER BY posts DESC, emotion LIMIT {TOP_EMOTIONS}
"""


def percentage(part: int, whole: int) -> float:
    """0 to 100 with two digits; 0 of nothing."""
    return round(100 * part / whole, 2) if whole else 0.0


async def read_buckets(
    pool: asyncpg.Pool, start: datetime, end: datetime, width: timedelta, source: str | None
) -> list[Bucket]:
    """Every bucket from `start` (where one begins) to before `end`, those without posts as zeros."""
    async with connection(pool) as held:
        rows = {row["bucket"]: row for row in await held.fetch(_BUCKETS, width, start, end, source)}
    count = -(-(end - start) // width)
    return [_bucket(moment, rows.get(moment)) for moment in (start + i * width for i in range(count))]


def _bucket(timestamp: datetime, row: asyncpg.Record | None) -> Bucket:
    counted = ("positive", "negative", "neutral", "total", "confidence")
    positive, negative, neutral, total, confidence = (row[name] for name in counted) if row else (0, 0, 0, 0, 0.0)
    return Bucket(
        timestamp=timestamp,
        positive_count=positive,
        negative_count=negative,
        neutral_count=neutral,
        total_count=total,
        positive_percentage=percentage(positive, total),
        negative_percentage=percentage(negative, total),
        neutral_percentage=percentage(neutral, total),
        average_confidence=round(confidence, 4),
    )


async def read_distribution(
    pool: asyncpg.Pool, hours: int, source: str | None
) -> tuple[Counts, int, Percentages, dict[str, int]]:
    """Counts by label, their total, percentages, and the most frequent emotions in falling order."""
    arguments = (timedelta(hours=hours), source)
    # One snapshot: labels and emotions count the same posts.
    async with connection(pool) as held, held.transaction(isolation="repeatable_read", readonly=True):
        row = await held.fetchrow(_DISTRIBUTION, *arguments)
        emotions = await held.fetch(_EMOTIONS, *arguments)
    assert row is not None  # an aggregate without GROUP BY is always one row
    total: int = row["total"]
    counts = Counts(positive=row["positive"], negative=row["negative"], neutral=row["neutral"])
    shares = Percentages(**{label: percentage(count, total) for label, count in counts.model_dump().items()})
    return counts, total, shares, {emotion["emotion"]: emotion["posts"] for emotion in emotions}
