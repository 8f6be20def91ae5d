"""Posts out of the database again: texts, authors, analyses, and what counts them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.common.database import POSTGRESQL, database_errors
from services.common.errors import Transient
from services.common.messages import AuthorDeletion, Post

# Of one transaction, for which the upkeep of roll-ups waits.
POSTS_AT_ONCE = 100
# Posts of a source among which those of an author are looked for in one transaction, where no index finds them.
ROWS_AT_ONCE = 20_000

# What ids of the AT Protocol begin with, before the author's DID and a slash.
_AT = "at://"
_DID = "did:"

# In one order, and each once: two that note the same do not wait for each other in a circle.
_NOTE = """
    INSERT INTO deleted_authors AS known (source, author, posts_until, deleted_at, is_open, after_post_id, after_id)
    SELECT source, author, max(posts_until), clock_timestamp(), true, '', 0
      FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS t (source, author, posts_until)
     GROUP BY source, author ORDER BY author COLLATE "C", source
        ON CONFLICT (author, source) DO UPDATE
       SET posts_until = greatest(known.posts_until, excluded.posts_until), deleted_at = excluded.deleted_at,
           is_open = true, after_post_id = '', after_id = 0
"""
_WRITTEN = """
    SELECT post_id FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
           AS t (post_id, source, author, created_at)
      JOIN deleted_authors d ON d.author = t.author AND d.source = t.source AND t.created_at <= d.posts_until
"""

Database = asyncpg.Pool | asyncpg.Connection | PoolConnectionProxy


class Written(NamedTuple):
    """What tells whether something that need not be a post is one of a deleted author."""

    post_id: str
    source: str
    author: str
    created_at: datetime


async def delete_posts(database: Database, post_ids: Sequence[str]) -> list[str]:
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


async def note_authors(database: Database, authors: Sequence[AuthorDeletion]) -> None:
    """From now on nothing is stored any more that they wrote until then, and `delete_some` finds what is stored.

    The second time it only looks once more. Transient if PostgreSQL is away or not as it must be; Rejected if it
    refuses a value.
    """
    if not authors:
        return
    columns = [*zip(*((each.source, each.author, each.until) for each in authors), strict=True)]
    try:
        with database_errors():
            await database.execute(_NOTE, *columns)
    except asyncpg.PostgresError as error:
        raise Transient(f"PostgreSQL: {error}", service=POSTGRESQL) from error


async def delete_some(database: Database) -> list[str] | None:
    """Deletes up to POSTS_AT_ONCE posts of one deleted author, in a transaction; their ids, perhaps none.

    None where all is deleted, or another process is deleting the rest. Transient as `delete_posts`.
    """
    try:
        with database_errors():
            deleted: list[str] | None = await database.fetchval(
                "SELECT delete_posts_of_authors($1, $2)", POSTS_AT_ONCE, ROWS_AT_ONCE
            )
            return deleted
    except asyncpg.PostgresError as error:
        raise Transient(f"PostgreSQL: {error}", service=POSTGRESQL) from error


async def of_deleted_authors(database: Database, posts: Sequence[Post | Written]) -> list[str]:
    """The ids of those among them that deleted authors wrote before they were deleted.

    Of posts that are stored, those that `delete_some` may have come too early for. Transient and Rejected as
    `note_authors`.
    """
    writers = [writer_of(post.post_id, post.author) for post in posts]
    try:
        with database_errors():
            rows = await database.fetch(
                _WRITTEN,
                [post.post_id for post in posts],
                [post.source for post in posts],
                writers,
                [post.created_at for post in posts],
            )
    except asyncpg.PostgresError as error:
        raise Transient(f"PostgreSQL: {error}", service=POSTGRESQL) from error
    return [row[0] for row in rows]


def writer_of(post_id: str, author: str) -> str:
    """Whose post it is: ids of the AT Protocol say it, also where the author was masked."""
    writer = post_id.removeprefix(_AT).partition("/")[0]
    return writer if post_id.startswith(_AT + _DID) else author
