"""Posts out of the database again: texts, authors, analyses, and what counts them."""

from collections.abc import Sequence

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common.database import POSTGRESQL, database_errors
from services.common.errors import Transient

# Of one transaction, for which the upkeep of roll-ups waits.
POSTS_AT_ONCE = 100


async def delete_posts(database: asyncpg.Pool | PoolConnectionProxy, post_ids: Sequence[str]) -> list[str]:
    """Deletes them; the ids of those that were stored. None of them is stored any more, whenever it comes.

    The second time it changes nothing. Transient if PostgreSQL is away or not as it must be: some may be deleted then.
    Rejected if it refuses an id.
    """
    deleted: list[str] = []
    try:
        with database_errors():
            for start in range(0, len(post_ids), POSTS_AT_ONCE):
                some = post_ids[start : start + POSTS_AT_ONCE]
                deleted += [row[0] for row in await database.fetch("SELECT delete_posts($1::text[])", some)]
    except asyncpg.PostgresError as error:
        raise Transient(f"PostgreSQL: {error}", service=POSTGRESQL) from error
    return deleted
