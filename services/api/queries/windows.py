"""The current window and the one before it, and where the posts of a window come from."""

from datetime import datetime, timedelta

import asyncpg

from services.api.queries.connection import connection
from services.api.queries.rollups import LABEL_SUMS, cover, read_progress, read_sums, since
from services.api.queries.sentiment import percentage
from services.api.queries.totals import LABELS
from services.api.schemas.counts import Change, OtherSources, SourceCounts, SourceList, Totals, WindowCounts
from services.common.moments import MINUTE

LISTED_SOURCES = 50


async def read_totals(pool: asyncpg.Pool, minutes: int, source: str | None) -> Totals:
    """Posts ingested in the last `minutes` and in as many before them, by the database's clock."""
    length = minutes * MINUTE
    async with connection(pool) as held:
        progress = await read_progress(held)
        edge, counted_to = since(progress, length)
        # No bucket lies on both sides of the edge: a minute that it cuts is read from its posts. One statement reads
        # both windows, so that no post is in neither.
        rows = await read_sums(
            held,
            "sentiment",
            [*cover(edge - length, edge, progress), *cover(edge, counted_to, progress)],
            keys=("bucket >= $1::timestamptz AS is_current",),
            sums=LABEL_SUMS,
            arguments=(edge,),
            source=source,
        )
    by_window = {row["is_current"]: row for row in rows}
    current = _window(by_window.get(True), edge, progress.now)
    previous = _window(by_window.get(False), edge - length, edge)
    return Totals(minutes=minutes, source=source, current=current, previous=previous, change=change(previous, current))


def change(previous: WindowCounts, current: WindowCounts) -> Change:
    growth = round(100 * (current.total - previous.total) / previous.total, 2) if previous.total else None
    if not (previous.total and current.total):
        return Change(total_percent=growth, positive_points=None, neutral_points=None, negative_points=None)
    points = {
        f"{label}_points": round(
            100 * (getattr(current, label) / current.total - getattr(previous, label) / previous.total), 2
        )
        for label in LABELS
    }
    return Change(total_percent=growth, **points)


def _window(row: asyncpg.Record | None, start: datetime, end: datetime) -> WindowCounts:
    counts = {name: row[name] if row else 0 for name in (*LABELS, "total")}
    return WindowCounts(since=start, until=end, **counts)


async def read_sources(pool: asyncpg.Pool, minutes: int) -> SourceList:
    """The sources of the last `minutes`: those with most posts one by one, the others in sum."""
    async with connection(pool) as held:
        progress = await read_progress(held)
        parts = cover(*since(progress, timedelta(minutes=minutes)), progress)
        rows = await read_sums(held, "sentiment", parts, keys=("source",), sums=LABEL_SUMS)
    rows.sort(key=lambda row: (-row["total"], row["source"]))
    total = sum(row["total"] for row in rows)
    listed = [SourceCounts(**row, share=percentage(row["total"], total)) for row in rows[:LISTED_SOURCES]]
    rest = rows[LISTED_SOURCES:]
    sums = {name: sum(row[name] for row in rest) for name in (*LABELS, "total")}
    others = OtherSources(sources=len(rest), share=percentage(sums["total"], total), **sums) if rest else None
    return SourceList(minutes=minutes, total=total, sources=listed, others=others)
