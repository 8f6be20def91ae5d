"""Ten minutes from minutes, hours and days from those, once nobody can write into them any more."""

from datetime import datetime, timedelta

import asyncpg

from services.common.moments import DAY, HOUR, TEN_MINUTES, floor

# Beyond what a transaction needs to show up among the open ones, which takes microseconds.
LAG = timedelta(minutes=1)

# Each level and what it is derived from, the finest first: a bucket's name, its width, and the bucket of its parts.
_LEVELS = (("ten_minute", TEN_MINUTES, "minute"), ("hour", HOUR, "ten_minute"), ("day", DAY, "hour"))
_DERIVE = (
    """
    INSERT INTO sentiment_{to}s (
        {to}, source, sentiment_label, posts, confidence_sum, created_from, created_to)
    SELECT date_bin($3::interval, {of}, 'epoch'), source, sentiment_label, sum(posts), sum(confidence_sum),
           min(created_from), max(created_to)
      FROM sentiment_{of}s WHERE {of} >= $1 AND {of} < $2 GROUP BY 1, 2, 3
""",
    """
    INSERT INTO emotion_{to}s ({to}, source, sentiment_label, emotion, posts)
    SELECT date_bin($3::interval, {of}, 'epoch'), source, sentiment_label, emotion, sum(posts)
      FROM emotion_{of}s WHERE {of} >= $1 AND {of} < $2 GROUP BY 1, 2, 3, 4
""",
)


async def close_buckets(held: asyncpg.Connection, lag: timedelta = LAG) -> None:
    """Derives all ten minutes, hours and days that are complete, and moves the marks up to which they are read."""
    async with held.transaction():
        row = await held.fetchrow("SELECT * FROM rollup_progress FOR UPDATE")
        assert row is not None
        # Later statements see whatever was committed by then, so everything before that moment.
        before = await quiet_before(held, lag)
        for to, width, of in _LEVELS:
            closed, before = row[f"{to}s_before"], floor(before, width)
            if before > closed:
                for statement in _DERIVE:
                    await held.execute(statement.format(to=to, of=of), closed, before, width)
                await held.execute(f"UPDATE rollup_progress SET {to}s_before = $1", before)  # nosec B608 # a name of _LEVELS


async def quiet_before(held: asyncpg.Connection, lag: timedelta) -> datetime:
    """The moment before which nothing can be stored any more.

    A post is counted in the minute in which its transaction began, and every open transaction shows its beginning: the
    earliest one is the bound. It disappears from the list only after what it wrote can be seen. RuntimeError where
    transactions of another role that stores posts do not show theirs to us.
    """
    row = await held.fetchrow(
        """
        SELECT least(now() - $1::interval, min(xact_start)) AS moment,
               string_agg(DISTINCT rolname, ', ') FILTER (
                   WHERE NOT rolsuper AND NOT pg_has_role(rolname, 'USAGE')
                     AND NOT pg_has_role('pg_read_all_stats', 'USAGE')
                     AND has_table_privilege(rolname, 'sentiment_minutes', 'INSERT')) AS unseen
          FROM pg_stat_activity LEFT JOIN pg_roles ON pg_roles.oid = usesysid
         WHERE datname = current_database() AND pid <> pg_backend_pid()
           AND coalesce(backend_type, 'client backend') = 'client backend' -- hidden with the rest
        """,
        lag,
    )
    assert row is not None
    if row["unseen"]:
        raise RuntimeError(
            f"nobody can tell what is complete: {row['unseen']} stores posts, and since when it does so is hidden from"
            " this role; run python -m services.common.migrations.roles, or GRANT pg_read_all_stats to this role"
        )
    moment: datetime = row["moment"]
    return moment
