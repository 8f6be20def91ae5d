"""Days that are too old are dropped whole: posts, analyses, roll-ups and keys, and the batches that they came in."""

import asyncpg

from services.common.logging import get_logger
from services.common.moments import DAY
from services.common.partitions import start_of

log = get_logger(__name__)

KEYS_AT_ONCE = 10_000
# Taking a day out of the table makes everybody wait who comes after us, so we wait ourselves only for a moment.
LOCK_TIMEOUT_MS = 200


async def drop_old_days(held: asyncpg.Connection, retention_days: int) -> None:
    """Drops the days that ended more than `retention_days` ago; 0: none. A dropped post may be stored again.

    May be ended at any point: the next call goes on.
    """
    if retention_days:
        for partition in await held.fetch(
            """
            SELECT right(inhrelid::regclass::text, 8) AS suffix, to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD')
                   AS day FROM pg_inherits
             WHERE inhparent = 'social_media_posts'::regclass
               AND to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD') < (now() AT TIME ZONE 'UTC')::date - $1::int
             ORDER BY day
            """,
            retention_days,
        ):
            async with held.transaction():
                # Nobody takes a post out of a roll-up that is about to go.
                await held.execute("SELECT FROM rollup_progress FOR UPDATE")
                beyond = start_of(partition["day"]) + DAY
                for table in ("sentiment", "emotion"):
                    for width in ("minute", "ten_minute", "hour", "day"):
                        await held.execute(f"DELETE FROM {table}_{width}s WHERE {width} < $1", beyond)  # nosec B608 # the names above
                await _take_out(held, partition["suffix"])
            log.info("dropped an old day", day=str(partition["day"]))
        await _forget_batches(held, retention_days)
    for row in await held.fetch("SELECT relname FROM pg_class WHERE relname ~ '^retired_posts_[0-9]{8}$'"):
        await _forget(held, row["relname"])


async def forget_deletions(held: asyncpg.Connection, memory_days: int) -> None:
    """Forgets what was deleted more than `memory_days` ago: such a post may be stored again, and what such an author
    wrote.
    """
    await held.execute(
        "DELETE FROM deleted_authors WHERE NOT is_open AND deleted_at < now() - $1 * interval '1 day'", memory_days
    )
    forgotten = KEYS_AT_ONCE
    while forgotten == KEYS_AT_ONCE:
        async with held.transaction():
            # Nobody deletes one of them again meanwhile: of that deletion only half would be remembered.
            await held.execute("SELECT FROM rollup_progress FOR UPDATE")
            forgotten = await held.fetchval(
                f"""
                WITH chunk AS (SELECT post_id FROM deleted_posts WHERE deleted_at < now() - $1 * interval '1 day'
                                ORDER BY deleted_at LIMIT {KEYS_AT_ONCE}),
                     keys AS (DELETE FROM social_media_post_keys k USING chunk
                               WHERE k.post_id = chunk.post_id AND k.id = 0),
                     gone AS (DELETE FROM deleted_posts d USING chunk WHERE d.post_id = chunk.post_id)
                SELECT count(*) FROM chunk
                """,  # nosec B608 # a number of ours
                memory_days,
            )


async def _take_out(held: asyncpg.Connection, suffix: str) -> None:
    """From now on nobody sees the day; the posts stay aside as the list of the keys that have to go."""
    await held.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
    await held.execute(
        f"""
        ALTER TABLE social_media_posts DETACH PARTITION social_media_posts_{suffix};
        ALTER TABLE social_media_posts_{suffix} RENAME TO retired_posts_{suffix};
        DROP TABLE sentiment_analysis_{suffix};
        """
    )


async def _forget_batches(held: asyncpg.Connection, retention_days: int) -> None:
    """Some at a time. A day after the posts: a batch has the time of its analysis, they that of their storage."""
    deleted = KEYS_AT_ONCE
    while deleted == KEYS_AT_ONCE:
        deleted = await held.fetchval(
            f"""
            WITH chunk AS (SELECT id FROM analysis_batches
                            WHERE id < first_id_at(((now() AT TIME ZONE 'UTC')::date - $1::int - 1)::timestamp
                                                   AT TIME ZONE 'UTC') ORDER BY id LIMIT {KEYS_AT_ONCE}),
                 gone AS (DELETE FROM analysis_batches b USING chunk WHERE b.id = chunk.id)
            SELECT count(*) FROM chunk
            """,  # nosec B608 # a number of ours
            retention_days,
        )


async def _forget(held: asyncpg.Connection, table: str) -> None:
    """Deletes the keys of the posts in the table, some at a time, and then the table."""
    last: int | None = 0
    while last is not None:
        last = await held.fetchval(
            f"""
            WITH chunk AS (SELECT id, post_id FROM {table} WHERE id > $1 ORDER BY id LIMIT {KEYS_AT_ONCE}),
                 gone AS (DELETE FROM social_media_post_keys k USING chunk
                           WHERE k.post_id = chunk.post_id AND k.id = chunk.id)
            SELECT max(id) FROM chunk
            """,  # nosec B608 # names of the pattern above
            last,
        )
    await held.execute(f"DROP TABLE {table}")
