"""Rounding times to whole minutes, hours and days (UTC)."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
MINUTE = timedelta(minutes=1)
TEN_MINUTES = timedelta(minutes=10)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def floor(moment: datetime, width: timedelta) -> datetime:
    """The start of the bucket that holds the moment."""
    return moment - (moment - EPOCH) % width


def ceil(moment: datetime, width: timedelta) -> datetime:
    """The first start of a bucket that is not before the moment."""
    return moment + (EPOCH - moment) % width
