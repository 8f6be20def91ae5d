"""Which buckets an aggregate has."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.api.schemas.general import Period
from services.api.web.errors import InvalidParameter

WIDTH: dict[Period, timedelta] = {
    "minute": timedelta(minutes=1),
    "ten_minute": timedelta(minutes=10),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
IN_WORDS: dict[Period, str] = {
    "minute": "one minute",
    "ten_minute": "ten minutes",
    "hour": "one hour",
    "day": "one day",
}
DEFAULT_SPAN: dict[Period, timedelta] = {
    "minute": timedelta(hours=1),
    "ten_minute": timedelta(hours=6),
    "hour": timedelta(hours=24),
    "day": timedelta(days=30),
}
# More than a chart can show; an answer of about half a megabyte.
MAX_BUCKETS = 2_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class TimeRange:
    """From `start`, where a bucket begins, to before `end`."""

    start: datetime
    end: datetime
    width: timedelta

    @property
    def buckets(self) -> int:
        return -(-(self.end - self.start) // self.width)


def time_range(period: Period, start: datetime | None, end: datetime | None, now: datetime) -> TimeRange:
    """The range asked for, its start rounded down to a whole bucket (UTC); InvalidParameter if it is not usable."""
    width = WIDTH[period]
    end = end or now
    start = start or end - DEFAULT_SPAN[period]
    if start >= end:
        raise InvalidParameter("start_date: must be before end_date")
    start -= (start - EPOCH) % width
    span = TimeRange(start, end, width)
    if span.buckets > MAX_BUCKETS:
        raise InvalidParameter(
            f"start_date: {span.buckets:,} buckets of {IN_WORDS[period]} are more than {MAX_BUCKETS:,};"
            " ask for a shorter range or a longer period"
        )
    return span
