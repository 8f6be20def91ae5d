"""How much there is, and whether the tables answer."""

import asyncpg

from services.api.queries.connection import CURRENT_ANALYSES, connection
from services.api.schemas import Stats

LABELS = ("positive", "negative", "neutral")
WINDOWS = {"last_minute": "1 minute", "last_hour": "1 hour", "last_24_hours": "24 hours"}

_COLUMNS = ", ".join(
    f"count(*) FILTER (WHERE ingested_at > now() - interval '{span}'"
    + (f" AND sentiment_label = '{label}'" if label else "")
    + f") AS {name}_{label or 'total'}"
    for name, span in WINDOWS.items()
    for label in (*LABELS, "")
)
_WINDOW_COUNTS = f"SELECT {_COLUMNS} FROM {CURRENT_ANALYSES} WHERE ingested_at > now() - interval '24 hours'"


async def check_tables(pool: asyncpg.Pool) -> None:
    """A real query on a real table: it fails also while the migrations have not run."""
    async with connection(pool) as held:
        await held.fetchval("SELECT EXISTS (SELECT FROM social_media_posts)")


async def read_stats(pool: asyncpg.Pool) -> Stats:
    """Exact counts; posts of the last hour by ingestion."""
    async with connection(pool) as held:
        row = await held.fetchrow(
            """
            SELECT (SELECT count(*) FROM social_media_posts) AS total_posts,
                   (SELECT count(*) FROM sentiment_analysis) AS total_analyses,
                   (SELECT count(*) FROM social_media_posts
                     WHERE ingested_at > now() - interval '1 hour') AS recent_posts_1h
            """
        )
    return Stats(**dict(row or {}))


async def count_windows(pool: asyncpg.Pool) -> dict[str, dict[str, int]]:
    """Posts ingested in the last minute, hour and day, by label: `{window: {label: count, "total": count}}`."""
    async with connection(pool) as held:
        row = await held.fetchrow(_WINDOW_COUNTS)
    assert row is not None  # an aggregate without GROUP BY is always one row
    return {name: {label: row[f"{name}_{label}"] for label in (*LABELS, "total")} for name in WINDOWS}
