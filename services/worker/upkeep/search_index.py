"""The index that finds words: on every day that has ended, and on the present one while that is not busy."""

import asyncpg

from services.common.logging import get_logger

log = get_logger(__name__)

# Indexing a post of 100 characters as it comes costs 75 to 97 µs of CPU, several times as much as storing it; for many
# together it is 23 µs. At this rate it is up to 5 % of a core. A busier day is searched without an index, and gets it
# later.
BUSY_POSTS_PER_S = 500.0
# Entries wait in a list that every search reads: one megabyte is read in a millisecond.
PENDING_LIST_KB = 1_024

_DAYS = """
    SELECT partition, day < ((now() - interval '2 minutes') AT TIME ZONE 'UTC')::date AS ended,
           to_regclass(partition || '_search') IS NOT NULL AS made,
           EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(partition || '_search') AND indisvalid) AS usable
      FROM (SELECT inhrelid::regclass::text AS partition, to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD') AS day
              FROM pg_inherits WHERE inhparent = 'social_media_posts'::regclass) AS partitions
     WHERE day <= (now() AT TIME ZONE 'UTC')::date ORDER BY day DESC
"""
_POSTS_PER_S = """
    SELECT coalesce(sum(posts), 0) / extract(epoch FROM now() - begin)
      FROM (SELECT date_trunc('minute', now()) - interval '1 minute' AS begin) AS recently
      LEFT JOIN sentiment_minutes ON minute >= begin GROUP BY begin
"""


async def index_words(held: asyncpg.Connection, busy_posts_per_s: float = BUSY_POSTS_PER_S) -> bool:
    """Makes the indexes that are missing, or drops that of a busy day; False: this server cannot have any."""
    try:
        await held.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except (asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError, asyncpg.InsufficientPrivilegeError) as error:
        log.warning(
            "searches will be slow: PostgreSQL lacks the extension pg_trgm; install it (it is among the contrib"
            " packages) and CREATE EXTENSION pg_trgm in this database as a superuser",
            error=str(error),
        )
        return False
    for day in await held.fetch(_DAYS):
        busy = await held.fetchval(_POSTS_PER_S) > busy_posts_per_s
        name = f"{day['partition']}_search"
        # An index that is made and not usable was abandoned half-way.
        if day["made"] and (not day["usable"] or (busy and not day["ended"])):
            await held.execute(f"DROP INDEX CONCURRENTLY {name}")
            log.info("dropped the index of words", index=name, busy=busy)
        if not busy and not day["usable"]:
            # Concurrently: nobody waits for it, and it takes a minute for three million posts.
            await held.execute(
                f"CREATE INDEX CONCURRENTLY {name} ON {day['partition']} USING gin (content gin_trgm_ops)"
                f" WITH (gin_pending_list_limit = {PENDING_LIST_KB})"
            )
            log.info("made the index of words", index=name)
    return True
