"""How much there is, and whether the tables answer."""

from datetime import UTC, datetime, timedelta

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.api.queries.connection import connection
from services.api.queries.rollups import Progress, cover, ever, read_progress, read_sums, since
from services.api.schemas.general import Stats
from services.common.moments import DAY, floor
from services.common.partitions import first_id_at

LABELS = ("positive", "negative", "neutral")
WINDOWS = {
    "last_minute": timedelta(minutes=1),
    "last_hour": timedelta(hours=1),
    "last_24_hours": timedelta(hours=24),
}


async def check_tables(pool: asyncpg.Pool) -> None:
    """A real query on a real table, of which it needs no more than today: it fails also before the migrations ran."""
    today = first_id_at(floor(datetime.now(UTC), DAY))
    async with connection(pool) as held:
        await held.fetchval("SELECT EXISTS (SELECT FROM social_media_posts WHERE id >= $1)", today)


async def read_stats(pool: asyncpg.Pool) -> Stats:
    """Exact counts of analysed posts; those of the last hour by ingestion."""
    async with connection(pool) as held, held.transaction(isolation="repeatable_read", readonly=True):
        progress = await read_progress(held)
        everything = await read_sums(held, "sentiment", cover(*ever(progress), progress))
        recent = await count_labels(held, progress, timedelta(hours=1))
    total = everything[0]["posts"] or 0
    return Stats(total_posts=total, total_analyses=total, recent_posts_1h=sum(recent.values()))


async def count_windows(pool: asyncpg.Pool) -> dict[str, dict[str, int]]:
    """Posts ingested in the last minute, hour and day, by label: `{window: {label: count, "total": count}}`."""
    # One state of the database: a shorter window never counts more than a longer one.
    async with connection(pool) as held, held.transaction(isolation="repeatable_read", readonly=True):
        progress = await read_progress(held)
        counts = {name: await count_labels(held, progress, length) for name, length in WINDOWS.items()}
    return {
        name: {label: posts.get(label, 0) for label in LABELS} | {"total": sum(posts.values())}
        for name, posts in counts.items()
    }


async def count_labels(held: PoolConnectionProxy, progress: Progress, length: timedelta) -> dict[str, int]:
    """Posts ingested in the last `length`, by label."""
    parts = cover(*since(progress, length), progress)
    rows = await read_sums(held, "sentiment", parts, keys=("sentiment_label",))
    return {row["sentiment_label"]: row["posts"] for row in rows}
