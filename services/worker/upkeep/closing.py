"""Hours from minutes and days from hours, once nobody can write into them any more."""

from datetime import datetime, timedelta

import asyncpg

from services.common.moments import DAY, HOUR, floor

# Beyond what a transaction needs to show up among the open ones, which takes microseconds.
LAG = timedelta(minutes=1)

_DERIVE = (
    """
    INSERT INTO sentiment_{to}s (
        {to}, source, sentiment_label, posts, confidence_sum, created_from, created_to)
    SELECT date_trunc('{to}', {of}, 'UTC'), source, sentiment_label, sum(posts), sum(confidence_sum),
           min(created_from), max(created_to)
      FROM sentiment_{of}s WHERE {of} >= $1 AND {of} < $2 GROUP BY 1, 2, 3
""",
    """
    INSERT INTO emotion_{to}s ({to}, source, sentiment_label, emotion, posts)
    SELECT date_trunc('{to}', {of}, 'UTC'), source, sentiment_label, emotion, sum(posts)
      FROM emotion_{of}s WHERE {of} >= $1 AND {of} < $2 GROUP BY 1, 2, 3, 4
""",
)


async def close_hours_and_days(held: asyncpg.Connection, lag: timedelta = LAG) -> None:
    """Derives every hour and day that is complete, and moves the marks up to which they are read."""
    async with held.transaction():
        row = await held.fetchrow("SELECT hours_before, days_before FROM rollup_progress FOR UPDATE")
        assert row is not None
        complete_before = await quiet_before(held, lag)
        # Later statements see whatever was committed by then, so everything before that moment.
        hours_before = floor(complete_before, HOUR)
        days_before = floor(hours_before, DAY)
        if hours_before > row["hours_before"]:
            await _derive(held, "hour", "minute", row["hours_before"], hours_before)
            if days_before > row["days_before"]:
                await _derive(held, "day", "hour", row["days_before"], days_before)
            await held.execute(
                "UPDATE rollup_progress SET hours_before = $1, days_before = $2", hours_before, days_before
            )


async def quiet_before(held: asyncpg.Connection, lag: timedelta) -> datetime:
    """The moment before which nothing can be stored any more.

    A post is counted in the minute in which its transaction began, and every open transaction shows its beginning: the
    earliest one is the bound. It disappears from the list only after what it wrote can be seen.
    """
    moment: datetime = await held.fetchval(
        """
        SELECT least(now() - $1::interval, min(xact_start)) FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
        """,
        lag,
    )
    return moment


async def _derive(held: asyncpg.Connection, to: str, of: str, start: datetime, end: datetime) -> None:
    for statement in _DERIVE:
        await held.execute(statement.format(to=to, of=of), start, end)
