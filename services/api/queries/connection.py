"""A pooled connection for one read, with errors in our own terms."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common.database import POSTGRESQL, database_errors
from services.common.errors import Transient

# A pool that is busy for so long sheds load (503) instead of piling up requests.
ACQUIRE_TIMEOUT_S = 3.0
# Every read takes milliseconds. One that takes so long asks a server that hangs: its connection is dropped, since even
# asking to cancel the statement would be waiting for an answer. A server that is only slow ends it by itself then
# (`SERVER_LIMITS` are settings of the session).
READ_TIMEOUT_S = 5.0
SERVER_LIMITS = {"statement_timeout": f"{READ_TIMEOUT_S:g}s"}


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
    """Transient if there is none in time, if it breaks inside the block, or if that takes more than READ_TIMEOUT_S."""
    try:
        with database_errors():
            async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as held, _deadline(held):
                yield held
    except asyncpg.UndefinedTableError as error:
        reason = f"PostgreSQL lacks a table, the migrations have not run yet: {error}"
        raise Transient(reason, service=POSTGRESQL) from error


@asynccontextmanager
async def _deadline(held: PoolConnectionProxy) -> AsyncIterator[None]:
    """Drops the connection when time is up, which ends whatever waits for it, or when the block is cancelled."""

    def drop() -> None:
        with suppress(asyncpg.InterfaceError):  # it is lost already
            held.terminate()

    loop = asyncio.get_running_loop()
    timer = loop.call_later(READ_TIMEOUT_S, drop)
    try:
        yield
    except asyncio.CancelledError:
        # Giving it back would wait for the server, which may be what we were waiting for.
        drop()
        raise
    except Exception as error:
        if loop.time() >= timer.when():
            raise Transient(f"PostgreSQL did not answer within {READ_TIMEOUT_S:g} s", service=POSTGRESQL) from error
        raise
    finally:
        timer.cancel()
