"""A span of time falls into parts that overlap nowhere and leave nothing out."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.api.queries.rollups import Progress, cover
from services.common.moments import DAY, EPOCH, HOUR, MINUTE, TEN_MINUTES, ceil, floor

WIDTHS = {None: timedelta(0), "minute": MINUTE, "ten_minute": TEN_MINUTES, "hour": HOUR, "day": DAY}
# Hypothesis takes bounds without a zone and adds it.
moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 3, 1), timezones=st.just(UTC))  # noqa: DTZ001 # see above


def closed_before(now: datetime, moment: datetime) -> Progress:
    """All buckets that ended before the moment are complete."""
    return Progress(now, *(floor(moment, width) for width in (TEN_MINUTES, HOUR, DAY)))


@given(moments, moments, moments, st.sampled_from([MINUTE, HOUR, DAY]))
def test_parts_make_up_the_span(one: datetime, other: datetime, closed: datetime, coarsest: timedelta) -> None:
    start, end = sorted((one, other))
    progress = closed_before(end, closed)
    parts = cover(start, end, progress, coarsest)
    ends = [start, *(part.end for part in parts)]
    assert [part.start for part in parts] == ends[:-1]
    assert ends[-1] == end
    for part in parts:
        width = WIDTHS[part.width]
        assert width <= coarsest
        if part.width is None:
            assert part.end - part.start <= MINUTE
        else:
            assert floor(part.start, width) == part.start
            assert floor(part.end, width) == part.end
        if part.width not in (None, "minute"):
            assert part.end <= getattr(progress, f"{part.width}s_before")


@given(moments, moments)
def test_few_buckets_are_read_where_all_are_closed(one: datetime, other: datetime) -> None:
    start, end = sorted((one, other))
    parts = cover(start, end, closed_before(end, end))
    read = {
        width: sum((p.end - p.start) // WIDTHS[width] for p in parts if p.width == width) for width in WIDTHS if width
    }
    assert read["minute"] < 20
    assert read["ten_minute"] < 12
    assert read["hour"] < 48


def test_hours_are_read_also_where_no_ten_minutes_are_derived_yet() -> None:
    end = datetime(2026, 2, 1, 12, 5, tzinfo=UTC)
    progress = Progress(end, EPOCH, floor(end, HOUR), floor(end, DAY))
    widths = [part.width for part in cover(end - 3 * DAY, end, progress)]
    assert widths == ["minute", "hour", "day", "hour", "minute"]


@given(moments, st.sampled_from([MINUTE, HOUR, DAY]))
def test_rounding(moment: datetime, width: timedelta) -> None:
    assert floor(moment, width) <= moment <= ceil(moment, width)
    assert ceil(moment, width) - floor(moment, width) in (timedelta(0), width)
