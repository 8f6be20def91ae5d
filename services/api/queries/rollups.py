"""Sums over a span of time: from days, hours, ten minutes and minutes, and from the posts of a minute that is cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy

from services.api.queries.connection import current_analyses
from services.common.moments import DAY, EPOCH, HOUR, MILLISECOND, MINUTE, TEN_MINUTES, ceil, floor
from services.common.partitions import first_id_at

Kind = Literal["sentiment", "emotion"]
Width = Literal["minute", "ten_minute", "hour", "day"]
_WIDTHS: tuple[tuple[Width, timedelta], ...] = (
    ("minute", MINUTE),
    ("ten_minute", TEN_MINUTES),
    ("hour", HOUR),
    ("day", DAY),
)
# Posts by label, and all of them, for `read_sums`.
LABEL_SUMS = (
    *(
        f"coalesce(sum(posts) FILTER (WHERE sentiment_label = '{label}'), 0)::bigint AS {label}"
        for label in ("positive", "negative", "neutral")
    ),
    "coalesce(sum(posts), 0)::bigint AS total",
)


# Who asks until now means everything: an end within this of the database's clock cuts no minute.
NOW_TOLERANCE = timedelta(seconds=1)


@dataclass(frozen=True)
class Progress:
    """The database's clock, and before when its ten minutes, hours and days are complete."""

    now: datetime
    ten_minutes_before: datetime
    hours_before: datetime
    days_before: datetime


@dataclass(frozen=True)
class Part:
    """A span that is read from the buckets of one width; from the posts themselves where it is None."""

    width: Width | None
    start: datetime
    end: datetime


async def read_progress(held: PoolConnectionProxy) -> Progress:
    row = await held.fetchrow("SELECT now() AS now, ten_minutes_before, hours_before, days_before FROM rollup_progress")
    return Progress(**dict(row or {}))


def since(progress: Progress, length: timedelta) -> tuple[datetime, datetime]:
    """The last `length`, with an end that cuts no minute: nothing is stored later than now."""
    return progress.now - length, floor(progress.now, MINUTE) + 2 * MINUTE


def counted_to(end: datetime, progress: Progress) -> datetime:
    """The end of what is counted for who asks until `end`."""
    return max(end, floor(progress.now, MINUTE) + 2 * MINUTE) if end > progress.now - NOW_TOLERANCE else end


def ever(progress: Progress) -> tuple[datetime, datetime]:
    return EPOCH, floor(progress.now, MINUTE) + 2 * MINUTE


def cover(start: datetime, end: datetime, progress: Progress, coarsest: timedelta = DAY) -> list[Part]:
    """Parts that make up `start` to before `end`, each as coarse as can be: few rows, and every post in one of them."""
    minutes_from, minutes_to = ceil(start, MINUTE), floor(end, MINUTE)
    if minutes_from > minutes_to:  # both in one minute
        return [Part(None, start, end)]
    parts = [
        Part(None, start, minutes_from),
        *_buckets(minutes_from, minutes_to, progress, coarsest, 0),
        Part(None, minutes_to, end),
    ]
    return [part for part in parts if part.start < part.end]


def _buckets(start: datetime, end: datetime, progress: Progress, coarsest: timedelta, level: int) -> list[Part]:
    """The same for a span that cuts no bucket of that level, from it and coarser ones."""
    name, _ = _WIDTHS[level]
    for next_level, (coarser, width) in enumerate(_WIDTHS[level + 1 :], level + 1):
        complete_before: datetime = getattr(progress, f"{coarser}s_before")
        first, last = ceil(start, width), floor(min(end, complete_before), width)
        # Where there is none of that width, there may still be one of the next: after an upgrade, for instance.
        if width <= coarsest and first < last:
            inner = _buckets(first, last, progress, coarsest, next_level)
            return [Part(name, start, first), *inner, Part(name, last, end)]
    return [Part(name, start, end)]


async def read_sums(
    held: PoolConnectionProxy,
    kind: Kind,
    parts: Sequence[Part],
    *,
    keys: Sequence[str] = (),
    sums: Sequence[str] = ("sum(posts)::bigint AS posts",),
    arguments: Sequence[object] = (),
    source: str | None = None,
    label: str | None = None,
    emotion: str | None = None,
) -> list[Record]:
    """Rows of the keys and sums, one row without keys.

    Both are SQL expressions over `bucket`, `source`, `sentiment_label`, `emotion` (null where the kind is "sentiment"),
    `posts` and `confidence_sum` (null where it is "emotion"), with `arguments` as $1, $2, … One statement reads all
    parts, so one state of the database.
    """
    bound = _Arguments(arguments)
    filters = "".join(
        f" AND {condition.format(bound.add(value))}"
        for condition, value in (
            ("source = {}", source),
            ("sentiment_label = {}", label),
            ("lower(emotion) = lower({})", emotion),
        )
        if value is not None
    )
    selects = [_select(kind, part, filters, bound) for part in parts]
    if not selects:
        return []
    grouping = f" GROUP BY {', '.join(str(number + 1) for number in range(len(keys)))}" if keys else ""
    rows: list[Record] = await held.fetch(
        f"SELECT {', '.join((*keys, *sums))} FROM ({' UNION ALL '.join(selects)}) AS parts{grouping}",  # nosec B608 # constants of callers
        *bound.values,
    )
    return rows


class _Arguments:
    """Arguments of a statement, numbered as they are added."""

    def __init__(self, values: Sequence[object]) -> None:
        self.values = list(values)

    def add(self, value: object) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def _select(kind: Kind, part: Part, filters: str, bound: _Arguments) -> str:
    start, end = bound.add(part.start), bound.add(part.end)
    if part.width is None:
        ids = bound.add(first_id_at(part.start)), bound.add(first_id_at(ceil(part.end, MILLISECOND)))
        return f"""
            SELECT bucket, source, sentiment_label, emotion, posts, confidence_sum FROM (
                SELECT p.ingested_at AS bucket, p.source, a.sentiment_label, coalesce(a.emotion, '') AS emotion,
                       1 AS posts, a.confidence_score::double precision AS confidence_sum
                  FROM {current_analyses(*ids)} AND p.ingested_at >= {start} AND p.ingested_at < {end}
            ) AS cut WHERE true{filters}"""  # nosec B608 # constants with $n
    columns = "NULL AS emotion, posts, confidence_sum"
    if kind == "emotion":
        columns = "emotion, posts, NULL::double precision AS confidence_sum"
    return f"""
            SELECT {part.width} AS bucket, source, sentiment_label, {columns} FROM {kind}_{part.width}s
             WHERE {part.width} >= {start} AND {part.width} < {end}{filters}"""  # nosec B608 # names by Kind and Width, constants with $n
