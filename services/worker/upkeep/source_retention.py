"""Days of a single source that are too old: its posts among those of others, so they are deleted row by row."""

from collections.abc import Mapping
from datetime import date

import asyncpg

from services.common.logging import get_logger
from services.common.moments import DAY
from services.common.partitions import start_of

log = get_logger(__name__)

# Of one transaction, for which the upkeep of roll-ups waits, and who deletes a post.
POSTS_AT_ONCE = 1_000
# Tomorrow's partition must not wait for the posts of a year: a round goes on where the last one ended.
MAX_POSTS_A_ROUND = 200_000


async def delete_old_days(held: asyncpg.Connection, retention_days: Mapping[str, int]) -> None:
    """Deletes the posts of each source from days that ended more than so many days ago, with all that counts them.

    Some of them, where there are many. May be ended at any point: the next call goes on. A deleted post may be stored
    again.
    """
    left = MAX_POSTS_A_ROUND
    for source, days in retention_days.items():
        while left > 0 and (day := await _oldest_day(held, source, days)):
            left -= await _delete_day(held, source, day, left)


async def _oldest_day(held: asyncpg.Connection, source: str, days: int) -> date | None:
    day: date | None = await held.fetchval(
        """
        SELECT (ingested_at AT TIME ZONE 'UTC')::date FROM social_media_posts
         WHERE source = $1 AND id < first_id_at(((now() AT TIME ZONE 'UTC')::date - $2::int)::timestamp
                                                AT TIME ZONE 'UTC')
         ORDER BY id LIMIT 1
        """,
        source,
        days,
    )
    return day


async def _delete_day(held: asyncpg.Connection, source: str, day: date, at_most: int) -> int:
    """How many posts it deleted; about `at_most`, if there are more."""
    start, beyond = start_of(day), start_of(day) + DAY
    async with held.transaction():
        # Roll-ups first: while there are posts left, the next call finds the day.
        await held.execute("SELECT FROM rollup_progress FOR UPDATE")
        for table in ("sentiment", "emotion"):
            for width in ("minute", "ten_minute", "hour", "day"):
                await held.execute(
                    f"DELETE FROM {table}_{width}s WHERE source = $1 AND {width} >= $2 AND {width} < $3",  # nosec B608 # the names above
                    source,
                    start,
                    beyond,
                )
    posts, some = 0, POSTS_AT_ONCE
    while some == POSTS_AT_ONCE and posts < at_most:
        async with held.transaction():
            # Nobody deletes one of them at the same time, in another order.
            await held.execute("SELECT FROM rollup_progress FOR UPDATE")
            some = await held.fetchval(
                f"""
                WITH chunk AS (SELECT id, post_id FROM social_media_posts
                                WHERE source = $1 AND id >= first_id_at($2) AND id < first_id_at($3)
                                ORDER BY id LIMIT {POSTS_AT_ONCE}),
                     analyses AS (DELETE FROM sentiment_analysis a USING chunk WHERE a.post_row_id = chunk.id
                                     AND a.post_row_id >= first_id_at($2) AND a.post_row_id < first_id_at($3)),
                     keys AS (DELETE FROM social_media_post_keys k USING chunk
                               WHERE k.post_id = chunk.post_id AND k.id = chunk.id),
                     gone AS (DELETE FROM social_media_posts p USING chunk WHERE p.id = chunk.id
                                 AND p.id >= first_id_at($2) AND p.id < first_id_at($3))
                SELECT count(*) FROM chunk
                """,  # nosec B608 # a number of ours
                source,
                start,
                beyond,
            )
        posts += some
    log.info("deleted old posts of a source", source=source, day=str(day), posts=posts)
    return posts
