"""What a rule counts, over time, and the posts that it counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asyncpg.pool import PoolConnectionProxy

from services.api.alerting.rule import Rule
from services.api.queries.connection import current_analyses
from services.api.queries.keyword_counts import NEWEST_POSTS
from services.api.queries.posts import load
from services.api.queries.rollups import Part, Width, read_sums
from services.api.schemas.general import Post
from services.common.moments import HOUR, MILLISECOND, MINUTE, TEN_MINUTES, ceil, floor
from services.common.partitions import first_id_at

# Of one series: three hours by the minute, a day and more by ten minutes, the rest by the hour.
MAX_BUCKETS = 181


@dataclass(frozen=True)
class Bucket:
    """Of the `total` posts in a rule's scope that were ingested from `start` on, `matching` are what it looks for."""

    start: datetime
    matching: int
    total: int


def width_for(start: datetime, end: datetime) -> timedelta:
    """Minutes where these are not too many."""
    return next((w for w in (MINUTE, TEN_MINUTES) if (end - start) / w <= MAX_BUCKETS), HOUR)


async def read_series(
    held: PoolConnectionProxy, rule: Rule, start: datetime, end: datetime, width: timedelta = MINUTE
) -> list[Bucket]:
    """Every bucket from the one that holds `start` to before `end`, those without posts included."""
    start = floor(start, width)
    read = _of_keyword if rule.keyword else _of_rollups
    found = await read(held, rule, start, end, width)
    starts = (start + number * width for number in range(-((start - end) // width)))
    return [Bucket(begin, *found.get(begin, (0, 0))) for begin in starts]


async def _of_rollups(
    held: PoolConnectionProxy, rule: Rule, start: datetime, end: datetime, width: timedelta
) -> dict[datetime, tuple[int, int]]:
    condition, sought = {
        "sentiment_ratio": ("sentiment_label = $2", rule.sentiment),
        "emotion_ratio": ("lower(emotion) = lower($2)", rule.emotion),
        "volume": ("$2::text IS NULL", None),
    }[rule.kind]
    # Minutes, whatever the width: the coarser roll-ups of the last hours may not be there yet.
    by_the: Width = "minute"
    rows = await read_sums(
        held,
        "emotion" if rule.kind == "emotion_ratio" else "sentiment",
        [Part(by_the, start, end)],
        keys=("date_bin($1::interval, bucket, 'epoch')",),
        sums=(f"coalesce(sum(posts) FILTER (WHERE {condition}), 0)::bigint AS matching", "sum(posts)::bigint AS total"),
        arguments=(width, sought),
        source=rule.source,
    )
    return {row[0]: (row["matching"], row["total"]) for row in rows}


async def _of_keyword(
    held: PoolConnectionProxy, rule: Rule, start: datetime, end: datetime, width: timedelta
) -> dict[datetime, tuple[int, int]]:
    rows = await held.fetch(
        """
        SELECT date_bin($4::interval, minute, 'epoch') AS bucket, sum(matching)::bigint AS matching,
               sum(posts)::bigint AS total
          FROM alert_keyword_minutes WHERE rule_id = $1 AND minute >= $2 AND minute < $3 GROUP BY 1
        """,
        rule.id,
        start,
        end,
        width,
    )
    return {row["bucket"]: (row["matching"], row["total"]) for row in rows}


async def read_matching_posts(
    held: PoolConnectionProxy, rule: Rule, start: datetime, end: datetime, noted_ids: Sequence[int]
) -> list[Post]:
    """The newest posts of the window that the rule looks for; of a keyword the `noted_ids`, as far as they are kept."""
    ids = sorted(noted_ids, reverse=True) if rule.keyword else await _matching_ids(held, rule, start, end)
    return await load(held, ids[:NEWEST_POSTS])


async def _matching_ids(held: PoolConnectionProxy, rule: Rule, start: datetime, end: datetime) -> list[int]:
    arguments: list[object] = [first_id_at(start), first_id_at(ceil(end, MILLISECOND)), NEWEST_POSTS]
    conditions = ""
    for condition, value in (
        ("a.sentiment_label = {}", rule.sentiment),
        ("lower(a.emotion) = lower({})", rule.emotion),
        ("p.source = {}", rule.source),
    ):
        if value is not None:
            arguments.append(value)
            conditions += f" AND {condition.format(f'${len(arguments)}')}"
    rows = await held.fetch(
        f"SELECT p.id FROM {current_analyses('$1', '$2')}{conditions} ORDER BY p.id DESC LIMIT $3",  # nosec B608 # constants with $n
        *arguments,
    )
    return [row["id"] for row in rows]
