"""RETENTION_DAYS_BY_SOURCE: a number of days for each of some sources."""

from services.common.messages import MAX_SOURCE_CHARS

MAX_DAYS = 36_500


def read_source_days(text: str) -> dict[str, int]:
    """Days by source, of "mastodon=30,reddit=2". ValueError says which entry is wrong, and how."""
    days_of: dict[str, int] = {}
    for number, entry in enumerate(filter(None, map(str.strip, text.split(","))), 1):
        source, _, days = (part.strip() for part in entry.rpartition("="))
        if not source or len(source) > MAX_SOURCE_CHARS or not (days.isascii() and days.isdigit()):
            raise ValueError(f"entry {number}: expected source=days, as mastodon=30")
        if source in days_of:
            raise ValueError(f"entry {number}: there is an entry for {source} before it")
        if len(days) > len(str(MAX_DAYS)) or not 1 <= int(days) <= MAX_DAYS:
            raise ValueError(f"entry {number}: the days of {source} are not between 1 and {MAX_DAYS:,}")
        days_of[source] = int(days)
    return days_of
