"""Where posts that pass the filters can lie: ranges of ids, newest first, from the list of days and the roll-ups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asyncpg.pool import PoolConnectionProxy

from services.api.queries.rollups import read_progress
from services.api.schemas.general import PostFilters
from services.common.moments import DAY, HOUR, MINUTE, floor
from services.common.partitions import first_id_at, start_of

# Hours, cut by the times asked for or still open, that are looked at by the minute: those that may matter first.
MAX_HOURS_BY_MINUTE = 6

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
"""  # nosec B608 # the constants above
_MATCHING_PARTS = """
    SELECT {width} AS begin, bool_and({inside}) AS inside
      FROM unnest($5::timestamptz[]) AS wholes (whole), LATERAL (
           SELECT * FROM sentiment_{width}s
            WHERE {width} >= whole AND {width} < whole + $6::interval AND {of}) AS parts
     GROUP BY {width} HAVING bool_or({dated})
"""
_MATCHING_HOURS, _MATCHING_MINUTES = (
    _MATCHING_PARTS.format(width=width, inside=_INSIDE, of=_OF, dated=_DATED) for width in ("hour", "minute")
)
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

    None is longer than a day. A day without a match is left out where its roll-up is complete and knows; so are hours
    and minutes, for times of writing.
    """
    days = await held.fetch(_DAYS)
    spans = [_Span(start_of(row["day"]), start_of(row["day"]) + DAY, row["indexed"]) for row in days]
    if before_id is not None:
        spans = [span for span in spans if first_id_at(span.start) < before_id]
    if any((filters.source, filters.sentiment, filters.emotion, filters.start_date, filters.end_date)):
        spans = await _that_can_match(held, filters, spans)
    ranges = [
        Range(first_id_at(span.start), min(before_id or first_id_at(span.end), first_id_at(span.end)), span.indexed)
        for span in _joined(spans)
    ]
    return [each for each in ranges if each.first < each.beyond]


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
    # Only what is cut by the times asked for, or is still open, has to be looked at more closely.
    days = [span for span in found if not inside.get(span.start)]
    rows = await held.fetch(_MATCHING_HOURS, *arguments, [span.start for span in days], DAY)
    inside |= {row["begin"]: row["inside"] for row in rows}
    found = _split(found, days, HOUR, {row["begin"] for row in rows}, progress.hours_before)
    hours = [span for span in found if span.end - span.start == HOUR and not inside.get(span.start)]
    hours = [span for span in hours if span.start <= progress.now][:MAX_HOURS_BY_MINUTE]
    rows = await held.fetch(_MATCHING_MINUTES, *arguments, [span.start for span in hours], HOUR)
    return _split(found, hours, MINUTE, {row["begin"] for row in rows}, floor(progress.now, MINUTE))


def _split(
    spans: Sequence[_Span], those: Sequence[_Span], width: timedelta, matching: set[datetime], complete_before: datetime
) -> list[_Span]:
    """`those` of the spans in their parts that match, or are not complete; the others as they are."""
    parts = []
    for span in spans:
        if span not in those:
            parts.append(span)
            continue
        for number in reversed(range((span.end - span.start) // width)):
            start = span.start + number * width
            if start in matching or start >= complete_before:
                parts.append(_Span(start, start + width, span.indexed))
    return parts


def _joined(spans: Sequence[_Span]) -> Iterator[_Span]:
    """Neighbours within one day as one."""
    pending: _Span | None = None
    for span in spans:
        if pending and span.end == pending.start and floor(span.start, DAY) == floor(pending.start, DAY):
            pending = _Span(span.start, pending.end, span.indexed)
            continue
        if pending:
            yield pending
        pending = span
    if pending:
        yield pending
