"""Posts lie in one partition for each day (UTC): which there are, and those that are made ahead of time."""

from datetime import UTC, date, datetime

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common.moments import EPOCH, MILLISECOND

Connection = asyncpg.Connection | PoolConnectionProxy

# A worker may be away for a weekend: whoever stores a post next finds its day prepared.
DAYS_AHEAD = 3
# What waits for a lock makes everybody behind it wait; rather fail, and be tried again.
LOCK_TIMEOUT_MS = 2_000

SEQUENCE_BITS = 20
_LAST_ID = 2**63 - 1


def first_id_at(moment: datetime) -> int:
    """The lowest id of a post ingested in the millisecond of `moment`; the database has the same function.

    An id holds milliseconds up to the year 2248; for all moments beyond it is the last one.
    """
    return min((moment - EPOCH) // MILLISECOND << SEQUENCE_BITS, _LAST_ID)


def moment_of(post_row_id: int) -> datetime:
    """The millisecond in which a post was ingested."""
    return EPOCH + (post_row_id >> SEQUENCE_BITS) * MILLISECOND


def start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def create_partitions(held: Connection, days_ahead: int = DAYS_AHEAD) -> int:
    """Creates what is missing from today to `days_ahead`, by the database's clock; how many days that were."""
    async with held.transaction():
        await held.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        return int(
            await held.fetchval(
                """
                SELECT count(*) FILTER (WHERE create_post_partitions((now() AT TIME ZONE 'UTC')::date + ahead))
                  FROM generate_series(0, $1::int) AS ahead
                """,
                days_ahead,
            )
        )
