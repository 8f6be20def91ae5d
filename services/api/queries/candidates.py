"""Where posts that pass the filters can lie: ranges of ids, newest first, from the list of days and the roll-ups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from asyncpg.pool import PoolConnectionProxy

from services.api.queries.rollups import read_progress
from services.api.schemas import PostFilters
from services.common.moments import DAY, HOUR
from services.common.partitions import first_id_at, moment_of, start_of

# Ranges grow with the distance: a page is usually full after the newest day, and years behind it must not mean
# hundreds of statements. Longer ones would take too long to plan.
GROWTH = 4
MAX_DAYS_IN_RANGE = 32

_DAYS = """
    SELECT day, EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(partition || '_search') AND indisvalid)
           AS indexed
      FROM (SELECT to_date(right(inhrelid::regclass::text, 8), 'YYYYMMDD') AS day, inhrelid::regclass::text AS partition
              FROM pg_inherits WHERE inhparent = 'social_media_posts'::regclass) AS partitions
     WHERE day <= (now() AT TIME ZONE 'UTC')::date ORDER BY day DESC
"""
_START, _END = "coalesce($1::timestamptz, '-infinity')", "coalesce($2::timestamptz, 'infinity')"
_DATED = f"created_to >= {_START} AND created_from < {_END}"
_INSIDE = f"created_from >= {_START} AND created_to < {_END}"
_OF = "($3::text IS NULL OR source = $3) AND ($4::text IS NULL OR sentiment_label = $4)"
# Days with posts of the source and label of which some were written in the times asked for (`inside`: all of them).
_MATCHING_DAYS = f"""
    SELECT day, bool_and({_INSIDE}) AS inside FROM sentiment_days WHERE {_OF} GROUP BY day HAVING bool_or({_DATED})
"""
_MATCHING_HOURS = f"""
    SELECT DISTINCT hour FROM unnest($5::timestamptz[]) AS days (day), LATERAL (
        SELECT hour FROM sentiment_hours
         WHERE hour >= day AND hour < day + interval '24 hours' AND {_OF} AND {_DATED}) AS hours
"""
_DAYS_OF_EMOTION = """
    SELECT DISTINCT day FROM emotion_days
     WHERE lower(emotion) = lower($1) AND ($2::text IS NULL OR source = $2)
       AND ($3::text IS NULL OR sentiment_label = $3)
"""


@dataclass(frozen=True)
class Range:
    """Ids from `first` to before `beyond`; `indexed`: an index finds words in all of its days."""

    first: int
    beyond: int
    indexed: bool


@dataclass(frozen=True)
class _Span:
    start: datetime
    end: datetime
    indexed: bool


async def candidates(held: PoolConnectionProxy, filters: PostFilters, before_id: int | None) -> list[Range]:
    """Ranges below `before_id` that together hold every post which passes the filters, newest first.

    A day without a match is left out where its roll-up is complete and knows; so is an hour, for times of writing.
    """
    days = await held.fetch(_DAYS)
    if before_id is not None:
        newest = moment_of(before_id)
        days = [row for row in days if start_of(row["day"]) <= newest]
    spans = [_Span(start_of(row["day"]), start_of(row["day"]) + DAY, row["indexed"]) for row in days]
    if any((filters.source, filters.sentiment, filters.emotion, filters.start_date, filters.end_date)):
        spans = await _that_can_match(held, filters, spans)
    return [
        Range(first_id_at(span.start), min(before_id or first_id_at(span.end), first_id_at(span.end)), span.indexed)
        for span in _joined(spans)
    ]


async def _that_can_match(held: PoolConnectionProxy, filters: PostFilters, spans: Sequence[_Span]) -> list[_Span]:
    progress = await read_progress(held)
    arguments = (filters.start_date, filters.end_date, filters.source, filters.sentiment)
    inside: dict[datetime, bool] = {row["day"]: row["inside"] for row in await held.fetch(_MATCHING_DAYS, *arguments)}
    matching = set(inside)
    if filters.emotion:
        rows = await held.fetch(_DAYS_OF_EMOTION, filters.emotion, filters.source, filters.sentiment)
        matching &= {row["day"] for row in rows}
    found = [span for span in spans if span.start >= progress.days_before or span.start in matching]
    if not (filters.start_date or filters.end_date):
        return found
    # Only a day that is cut by the times asked for has to be looked at by the hour.
    cut = [span.start for span in found if not inside.get(span.start)]
    hours = {row["hour"] for row in await held.fetch(_MATCHING_HOURS, *arguments, cut)}
    return [
        part
        for span in found
        for part in (_hours(span, hours, progress.hours_before) if span.start in cut else (span,))
    ]


def _hours(day: _Span, hours: set[datetime], complete_before: datetime) -> Iterator[_Span]:
    for number in reversed(range(24)):
        start = day.start + number * HOUR
        if start >= complete_before or start in hours:
            yield _Span(start, start + HOUR, day.indexed)


def _joined(spans: Sequence[_Span]) -> Iterator[_Span]:
    """Neighbours of a kind as one, up to 1, 4, 16, … days."""
    limit = DAY
    pending: _Span | None = None
    for span in spans:
        neighbours = pending and span.end == pending.start and span.indexed == pending.indexed
        if pending and neighbours and pending.end - span.start <= limit:
            pending = _Span(span.start, pending.end, span.indexed)
            continue
        if pending:
            yield pending
            limit = min(GROWTH * limit, MAX_DAYS_IN_RANGE * DAY)
        pending = span
    if pending:
        yield pending
