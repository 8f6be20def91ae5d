"""A pooled connection for one read, with errors in our own terms."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common.database import database_errors
from services.common.errors import Transient

# A pool that is busy for so long sheds load (503) instead of piling up requests.
ACQUIRE_TIMEOUT_S = 5.0


def current_analyses(first_id: str, beyond_id: str) -> str:
    """Tables p (posts) and a (their current analyses) and the WHERE that joins them, for a range of ids.

    The range stands with both tables, so that the planner sees which days it needs.
    """
    return f"""
        social_media_posts p JOIN sentiment_analysis a ON a.post_row_id = p.id AND a.is_current
         AND a.post_row_id >= {first_id} AND a.post_row_id < {beyond_id}
         WHERE p.id >= {first_id} AND p.id < {beyond_id}"""


@asynccontextmanager
async def connection(pool: asyncpg.Pool) -> AsyncIterator[PoolConnectionProxy]:
    """Transient if there is none in time, or if it breaks inside the block."""
    try:
        with database_errors():
            async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as held:
                yield held
    except asyncpg.UndefinedTableError as error:
        raise Transient(f"PostgreSQL lacks a table, the migrations have not run yet: {error}") from error
