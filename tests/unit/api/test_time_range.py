"""Which buckets an aggregate has."""

from datetime import UTC, datetime, timedelta

import pytest

from services.api.schemas.general import Period
from services.api.time_range import MAX_BUCKETS, time_range
from services.api.web.errors import InvalidParameter

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "start"),
    [
        ("minute", datetime(2026, 3, 4, 4, 6, tzinfo=UTC)),
        ("ten_minute", datetime(2026, 3, 3, 23, tzinfo=UTC)),
        ("hour", datetime(2026, 3, 3, 5, tzinfo=UTC)),
        ("day", datetime(2026, 2, 2, tzinfo=UTC)),
    ],
)
def test_without_dates_it_is_the_recent_past_from_a_whole_bucket_on(period: Period, start: datetime) -> None:
    span = time_range(period, None, None, NOW)
    assert (span.start, span.end) == (start, NOW)


def test_a_start_before_1970_is_rounded_down_too() -> None:
    start = datetime(1960, 1, 1, 0, 30, tzinfo=UTC)
    assert time_range("hour", start, start + timedelta(hours=1), NOW).start == start.replace(minute=0)


def test_the_limit_of_buckets_is_exact() -> None:
    start = NOW.replace(second=0)
    time_range("minute", start, start + MAX_BUCKETS * timedelta(minutes=1), NOW)
    with pytest.raises(InvalidParameter, match="2,001 buckets"):
        time_range("minute", start, start + MAX_BUCKETS * timedelta(minutes=1, microseconds=1), NOW)


@pytest.mark.parametrize("end", [NOW, NOW - timedelta(seconds=1)])
def test_an_empty_range_is_refused(end: datetime) -> None:
    with pytest.raises(InvalidParameter, match="before end_date"):
        time_range("hour", NOW, end, NOW)
