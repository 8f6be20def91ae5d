"""Posts that no keyword was looked for in yet, and what was found."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy

from services.api.alerting.rule import Rule, Window
from services.api.queries.connection import current_analyses

# Posts that an alert shows.
NEWEST_POSTS = 20
# As long as the longest window, and a bit for who is behind.
KEPT = timedelta(hours=25)


# Ids that one statement reads. The planner knows nothing of the newest posts, thinks that they are few, and sorts them
# all: it must not be given a day of them.
_SPAN = 10_000 << 20  # ten seconds
_NEXT_ID = "SELECT min(id) FROM social_media_posts WHERE id >= $1 AND id < $2"
_NEW_POSTS = f"""
    SELECT p.id, p.source, p.content, a.sentiment_label, coalesce(a.emotion, '') AS emotion
      FROM {current_analyses("$1", "$2")} ORDER BY p.id LIMIT $3
"""  # nosec B608 # the constant range $1, $2


@dataclass
class Count:
    """Of the posts of one minute that have a rule's keyword. `newest_ids`: of the matching ones, rising."""

    posts: int = 0
    matching: int = 0
    newest_ids: list[int] = field(default_factory=list)


async def read_next_id(held: PoolConnectionProxy) -> int:
    """The first post that was not looked at."""
    return int(await held.fetchval("SELECT next_id FROM alert_keyword_progress"))


async def write_next_id(held: PoolConnectionProxy, next_id: int) -> None:
    await held.execute("UPDATE alert_keyword_progress SET next_id = $1", next_id)


async def new_posts(
    held: PoolConnectionProxy, first_id: int, beyond_id: int, portion: int
) -> AsyncIterator[Sequence[Record]]:
    """Posts of the ids, rising, some at a time: id, source, content, sentiment_label, emotion."""
    while (first_id := await held.fetchval(_NEXT_ID, first_id, beyond_id)) is not None:
        until_id = min(beyond_id, first_id + _SPAN)
        # Not a cursor, whose statement would have a name in the session (open_pool).
        while rows := await held.fetch(_NEW_POSTS, first_id, until_id, portion):
            yield rows
            first_id = rows[-1]["id"] + 1
        first_id = until_id


async def add_counts(held: PoolConnectionProxy, counts: Mapping[tuple[int, datetime], Count]) -> None:
    """Adds to what is there, and forgets what no window reaches any more."""
    # Arrays of PostgreSQL are rectangular: the lists of ids travel as text.
    await held.execute(
        f"""
        INSERT INTO alert_keyword_minutes AS m (rule_id, minute, posts, matching, newest_ids)
        SELECT rule_id, minute, posts, matching, newest_ids::bigint[]
          FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::text[])
               AS t (rule_id, minute, posts, matching, newest_ids)
        ON CONFLICT (rule_id, minute) DO UPDATE
           SET posts = m.posts + excluded.posts, matching = m.matching + excluded.matching,
               newest_ids = (m.newest_ids || excluded.newest_ids)
                            [greatest(1, cardinality(m.newest_ids || excluded.newest_ids) - {NEWEST_POSTS - 1}):]
        """,  # nosec B608 # a number of ours
        [rule_id for rule_id, _ in counts],
        [minute for _, minute in counts],
        [count.posts for count in counts.values()],
        [count.matching for count in counts.values()],
        ["{" + ",".join(map(str, count.newest_ids)) + "}" for count in counts.values()],
    )


async def forget_old_counts(held: PoolConnectionProxy) -> None:
    await held.execute("DELETE FROM alert_keyword_minutes WHERE minute < now() - $1::interval", KEPT)


async def read_keyword_windows(held: PoolConnectionProxy, rules: Sequence[Rule], end: datetime) -> dict[int, Window]:
    """The window of each rule that ends there."""
    rows = await held.fetch(
        """
        SELECT w.rule_id, w.begin, coalesce(sum(posts), 0)::bigint AS posts,
               coalesce(sum(matching), 0)::bigint AS matching
          FROM unnest($1::bigint[], $2::timestamptz[]) AS w (rule_id, begin)
          LEFT JOIN alert_keyword_minutes m ON m.rule_id = w.rule_id AND m.minute >= w.begin AND m.minute < $3
         GROUP BY 1, 2
        """,
        [rule.id for rule in rules],
        [end - rule.window for rule in rules],
        end,
    )
    return {row["rule_id"]: Window(row["matching"], row["posts"], row["begin"], end) for row in rows}


async def read_newest_ids(held: PoolConnectionProxy, rule: Rule, window: Window) -> list[int]:
    """Of the matching posts in the window, falling."""
    rows = await held.fetch(
        """
        SELECT id FROM alert_keyword_minutes, unnest(newest_ids) AS id
         WHERE rule_id = $1 AND minute >= $2 AND minute < $3 ORDER BY id DESC LIMIT $4
        """,
        rule.id,
        window.start,
        window.end,
        NEWEST_POSTS,
    )
    return [row["id"] for row in rows]
