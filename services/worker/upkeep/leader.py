"""One process at a time: who holds the lock works, the others find nothing to do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from services.common.database import CONNECT_TIMEOUT_S, SESSION, database_errors

# Dropping, deriving and indexing take as long as they take; whoever needs a limit sets it.
COMMAND_TIMEOUT_S = 6 * 3_600.0
# The end of a worker waits for it. The lock goes with the connection, which is then aborted.
CLOSE_TIMEOUT_S = 2.0


@asynccontextmanager
async def leading(dsn: str, lock: int) -> AsyncIterator[asyncpg.Connection | None]:
    """A connection that holds the lock until the block ends, or the process, or the network; None: another has it.

    Transient if the database is away.
    """
    with database_errors():
        held = await asyncpg.connect(
            dsn, timeout=CONNECT_TIMEOUT_S, command_timeout=COMMAND_TIMEOUT_S, server_settings=SESSION
        )
        try:
            yield held if await held.fetchval("SELECT pg_try_advisory_lock($1)", lock) else None
        finally:
            await held.close(timeout=CLOSE_TIMEOUT_S)
