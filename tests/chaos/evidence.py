"""What is there when everything has been drained: in the database, among the dead letters, in the stream."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.common.messages import Post
from services.common.streams import dead_letter_stream
from tests.chaos.truth import Letter
from tests.rows import Database, assert_rollups_are_a_recount

ENTRIES_PER_READ = 1_000
# More than the limit of a full stream.
PENDING_READ = 100_000


@dataclass(frozen=True)
class StoredPost:
    """A row of a post; how many analyses it has, and how many of them are current."""

    post: Post
    analyses: int = 1
    current: int = 1


@dataclass(frozen=True)
class Evidence:
    """`complaints`: what the database says that must never be. `seen`: where each post was in the stream. `waiting`:
    where those stand that are still there, in words."""

    posts: Sequence[StoredPost] = ()
    letters: Sequence[Letter] = ()
    complaints: Sequence[str] = ()
    seen: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)


async def gather(database: Database, redis: Redis, stream: str, group: str, seen: Mapping[str, str]) -> Evidence:
    return Evidence(
        posts=await read_posts(database),
        letters=[Letter.from_entry(fields) async for _, fields in _entries(redis, dead_letter_stream(stream))],
        complaints=await complaints_of(database),
        seen=seen,
        waiting=await read_waiting(redis, stream, group),
    )


async def read_posts(database: Database) -> list[StoredPost]:
    rows = await database.fetch(
        """
        SELECT p.post_id, p.source, p.content, p.author, p.created_at, count(a.id) AS analyses,
               count(a.id) FILTER (WHERE a.is_current) AS current
          FROM social_media_posts p LEFT JOIN sentiment_analysis a ON a.post_row_id = p.id AND a.post_id = p.post_id
         GROUP BY p.id
        """,
        timeout=300,
    )
    return [
        StoredPost(
            Post(**{name: row[name] for name in ("post_id", "source", "content", "author", "created_at")}),
            row["analyses"],
            row["current"],
        )
        for row in rows
    ]


async def complaints_of(database: Database) -> list[str]:
    """Each sentence is a thing that must not be, whatever posts came."""
    complaints = []
    for what, query in _NEVER.items():
        if found := await database.fetchval(query, timeout=300):
            complaints.append(f"{what}: {found}")
    try:
        await assert_rollups_are_a_recount(database)
    except AssertionError as error:
        complaints.append(f"roll-ups that are no recount of the posts: {str(error).splitlines()[0]}")
    return complaints


# What is counted by each must be none.
_NEVER = {
    "analyses without a post": """
        SELECT count(*) FROM sentiment_analysis a
         WHERE NOT EXISTS (SELECT FROM social_media_posts p WHERE p.id = a.post_row_id AND p.post_id = a.post_id)""",
    "posts whose key is missing or another post's": """
        SELECT count(*) FROM social_media_posts p
         WHERE NOT EXISTS (SELECT FROM social_media_post_keys k WHERE k.post_id = p.post_id AND k.id = p.id)""",
    "keys without a post": """
        SELECT count(*) FROM social_media_post_keys k
         WHERE NOT EXISTS (SELECT FROM social_media_posts p WHERE p.id = k.id AND p.post_id = k.post_id)""",
    "rules with more than one alert raised": """
        SELECT count(*) FROM (SELECT FROM sentiment_alerts WHERE resolved_at IS NULL
                               GROUP BY alert_type HAVING count(*) > 1) AS several""",
    "alerts raised while one of their rule was": """
        SELECT count(*) FROM sentiment_alerts a JOIN sentiment_alerts b USING (alert_type)
         WHERE a.id < b.id AND coalesce(a.resolved_at, 'infinity') > b.triggered_at""",
}


async def read_waiting(redis: Redis, stream: str, group: str) -> dict[str, str]:
    """By post: "unread", or "pending at <consumer>, delivered <n> times"."""
    pending: dict[bytes, str] = {}
    last_delivered = b"0-0"
    try:
        groups = {info["name"]: info for info in await redis.xinfo_groups(stream)}
        if group.encode() in groups:
            last_delivered = groups[group.encode()]["last-delivered-id"]
            entries: Any = await redis.xpending_range(stream, group, "-", "+", PENDING_READ)
            for entry in entries:
                where = f"pending at {entry['consumer'].decode()}, delivered {entry['times_delivered']} times"
                pending[entry["message_id"]] = where
    except ResponseError:  # there is no stream any more
        return {}
    waiting: dict[str, str] = {}
    async for entry_id, fields in _entries(redis, stream):
        post_id = fields.get(b"post_id", b"").decode("utf-8", "replace")
        if entry_id in pending:
            waiting[post_id] = pending[entry_id]
        elif _order(entry_id) > _order(last_delivered):
            waiting[post_id] = "unread"
    return waiting


def _order(entry_id: bytes) -> tuple[int, ...]:
    return tuple(int(part) for part in entry_id.split(b"-"))


async def _entries(redis: Redis, stream: str) -> AsyncIterator[tuple[bytes, dict[bytes, bytes]]]:
    last = b"-"
    while True:
        answer: Any = await redis.xrange(stream, min=last, count=ENTRIES_PER_READ)
        for entry_id, fields in answer:
            yield entry_id, fields
            last = b"(" + entry_id
        if len(answer) < ENTRIES_PER_READ:
            return
