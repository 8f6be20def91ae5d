"""Posts put into the database by a test's own SQL, with their roll-ups, and counts that trust no roll-up."""

from datetime import UTC, datetime, timedelta

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Database = asyncpg.Connection | PoolConnectionProxy

# What the minutes must be: every post by its current analysis.
_CURRENT = """
    SELECT date_trunc('minute', p.ingested_at, 'UTC') AS minute, p.source, a.sentiment_label,
           coalesce(a.emotion, '') AS emotion, a.confidence_score::double precision AS confidence, p.created_at
      FROM social_media_posts p JOIN sentiment_analysis a ON a.post_row_id = p.id AND a.is_current
"""
_SENTIMENTS = f"""
    SELECT minute, source, sentiment_label, count(*) AS posts, sum(confidence) AS confidence_sum,
           min(created_at) AS created_from, max(created_at) AS created_to
      FROM ({_CURRENT}) AS current GROUP BY 1, 2, 3
"""
_EMOTIONS = f"""
    SELECT minute, source, sentiment_label, emotion, count(*) AS posts FROM ({_CURRENT}) AS current GROUP BY 1, 2, 3, 4
"""


async def insert(
    database: Database,
    post_id: str,
    *,
    source: str = "test",
    content: str = "text",
    created_at: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ingested_at: datetime | None = None,
    label: str | None = "positive",
    confidence: float = 0.87,
    emotion: str | None = "joy",
    model: str = "model",
    version: int = 3,
    counted: bool = True,
) -> None:
    """A post, unless it is there already, and its current analysis; `label=None` leaves that out.

    `counted=False` leaves the roll-ups to a later `count_again`.
    """
    moment = ingested_at or datetime.now(UTC)
    await create_day(database, moment)
    await database.execute(
        """WITH new AS (INSERT INTO social_media_post_keys (post_id, id) VALUES ($1, next_id_at($5))
                            ON CONFLICT DO NOTHING RETURNING id)
           INSERT INTO social_media_posts (id, post_id, source, content, author, created_at, ingested_at)
           SELECT id, $1, $2, $3, 'me', $4, $5 FROM new""",
        *(post_id, source, content, created_at, moment),
    )
    if label:
        await database.execute("UPDATE sentiment_analysis SET is_current = false WHERE post_id = $1", post_id)
        await database.execute(
            """INSERT INTO sentiment_analysis
                      (post_row_id, post_id, model_name, model_version, sentiment_label, confidence_score, emotion)
               SELECT id, post_id, $2, $3, $4, $5, $6 FROM social_media_posts WHERE post_id = $1""",
            *(post_id, model, version, label, confidence, emotion),
        )
    if counted:
        await count_again(database)


async def create_day(database: Database, moment: datetime) -> None:
    await database.execute("SELECT create_post_partitions($1::date)", moment.astimezone(UTC).date())


async def count_again(database: Database) -> None:
    """The minutes as the posts are; the rest as if nobody had ever derived it."""
    await database.execute(
        f"""
        TRUNCATE sentiment_minutes, sentiment_ten_minutes, sentiment_hours, sentiment_days,
                 emotion_minutes, emotion_ten_minutes, emotion_hours, emotion_days;
        UPDATE rollup_progress SET ten_minutes_before = DEFAULT, hours_before = DEFAULT, days_before = DEFAULT;
        INSERT INTO sentiment_minutes
               (minute, source, sentiment_label, posts, confidence_sum, created_from, created_to, writer)
        SELECT *, 0 FROM ({_SENTIMENTS}) AS counted;
        INSERT INTO emotion_minutes (minute, source, sentiment_label, emotion, posts, writer)
        SELECT *, 0 FROM ({_EMOTIONS}) AS counted;
        """
    )


async def make_older(database: Database, step: timedelta, *, recount: bool = True) -> None:
    """Lets time pass: every post becomes older, with everything that counts it.

    `recount=False` moves the minutes as they are (`step` in whole ones); nothing may have been derived from them yet.
    """
    days = await database.fetch("SELECT DISTINCT ingested_at - $1::interval AS moment FROM social_media_posts", step)
    for row in days:
        await create_day(database, row["moment"])
    step_ms = step // timedelta(milliseconds=1)
    await database.execute("UPDATE sentiment_analysis SET post_row_id = post_row_id - ($1::bigint << 20)", step_ms)
    await database.execute(
        "UPDATE social_media_posts SET ingested_at = ingested_at - $1::interval, id = id - ($2::bigint << 20)",
        step,
        step_ms,
    )
    # That of a deleted post tells no time.
    await database.execute("UPDATE social_media_post_keys SET id = id - ($1::bigint << 20) WHERE id <> 0", step_ms)
    if recount:
        await count_again(database)
        return
    for table in ("sentiment_minutes", "emotion_minutes"):
        await database.execute(f"UPDATE {table} SET minute = minute - $1::interval", step)


async def assert_rollups_are_a_recount(database: Database) -> None:
    """AssertionError if a roll-up counts a post that is not there, twice, or not at all."""
    for width, length in (("minute", "1 min"), ("ten_minute", "10 min"), ("hour", "1 h"), ("day", "1 d")):
        whole = f"date_bin('{length}', minute, 'epoch')"
        closed = "'infinity'" if width == "minute" else f"{width}s_before"
        sentiments = (
            f"SELECT {whole}, source, sentiment_label, sum(posts)::bigint, round(sum(confidence_sum)::numeric, 4)"
        )
        ranges = ", min(created_from), max(created_to)"
        emotions = f"SELECT {whole}, source, sentiment_label, emotion, sum(posts)::bigint"
        for select, counted, table, groups in (
            (sentiments + ranges, _SENTIMENTS, "sentiment", "1, 2, 3"),
            (emotions, _EMOTIONS, "emotion", "1, 2, 3, 4"),
        ):
            end = f"GROUP BY {groups} ORDER BY {groups}"
            expected = await database.fetch(
                f"{select} FROM ({counted}) AS counted, rollup_progress WHERE {whole} < {closed} {end}"
            )
            kept = await database.fetch(select.replace("minute,", f"{width},") + f" FROM {table}_{width}s {end}")
            assert [tuple(row) for row in kept] == [tuple(row) for row in expected], f"{table}_{width}s"
