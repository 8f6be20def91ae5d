"""Alerts: the list for readers, and the few statements of the rule."""

from datetime import timedelta

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from services.api.alert_rule import Rule, Window
from services.api.queries.connection import connection
from services.api.queries.rollups import read_progress
from services.api.queries.totals import count_labels
from services.api.schemas import Alert

# Any fixed number, the same in every version: who holds this lock evaluates, the others leave it to them.
ALERT_LOCK = 7_316_605_513
# A process that freezes with the lock in its hand loses it after so long.
FROZEN_AFTER_MS = 15_000

_ALERT = """id, alert_type, threshold_value, actual_value, window_start, window_end, post_count, triggered_at,
            resolved_at, details::text"""


def _alert(row: asyncpg.Record) -> Alert:
    return Alert(**{**row, "details": msgspec.json.decode(row["details"])})


async def read_alerts(
    pool: asyncpg.Pool, *, limit: int, offset: int, alert_type: str | None
) -> tuple[list[Alert], int]:
    """A page, newest first, and how many there are."""
    where = "WHERE $1::text IS NULL OR alert_type = $1"
    async with connection(pool) as held:
        rows = await held.fetch(
            f"SELECT {_ALERT} FROM sentiment_alerts {where} ORDER BY triggered_at DESC, id DESC LIMIT $2 OFFSET $3",
            alert_type,
            limit,
            offset,
        )
        total = await held.fetchval(f"SELECT count(*) FROM sentiment_alerts {where}", alert_type)
    return [_alert(row) for row in rows], int(total)


async def take_turn(held: PoolConnectionProxy) -> bool:
    """Whether this transaction may evaluate the rule; false while another process does."""
    await held.execute(f"SET LOCAL idle_in_transaction_session_timeout = {FROZEN_AFTER_MS}")
    return bool(await held.fetchval("SELECT pg_try_advisory_xact_lock($1)", ALERT_LOCK))


async def read_window(held: PoolConnectionProxy, minutes: int) -> Window:
    """The posts ingested in the last `minutes`, by the database's clock."""
    progress = await read_progress(held)
    length = timedelta(minutes=minutes)
    posts = await count_labels(held, progress, length)
    return Window(
        negative=posts.get("negative", 0), total=sum(posts.values()), start=progress.now - length, end=progress.now
    )


async def is_raised(held: PoolConnectionProxy, alert_type: str) -> bool:
    sql = "SELECT EXISTS (SELECT FROM sentiment_alerts WHERE alert_type = $1 AND resolved_at IS NULL)"
    return bool(await held.fetchval(sql, alert_type))


async def is_cooling(held: PoolConnectionProxy, alert_type: str, minutes: int) -> bool:
    """Whether an alert of this type was resolved within the last `minutes`."""
    sql = "SELECT EXISTS (SELECT FROM sentiment_alerts WHERE alert_type = $1 AND resolved_at > now() - $2::interval)"
    return bool(await held.fetchval(sql, alert_type, timedelta(minutes=minutes)))


async def raise_alert(held: PoolConnectionProxy, rule: Rule, window: Window) -> Alert | None:
    """The new row; None if it is raised already: the unique index has the last word."""
    row = await held.fetchrow(
        f"""
        INSERT INTO sentiment_alerts
               (alert_type, threshold_value, actual_value, window_start, window_end, post_count, details)
        VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb)
        ON CONFLICT (alert_type) WHERE resolved_at IS NULL DO NOTHING
        RETURNING {_ALERT}
        """,
        rule.alert_type,
        rule.threshold,
        window.ratio,
        window.start,
        window.end,
        window.total,
        msgspec.json.encode(rule.details(window)).decode(),
    )
    return _alert(row) if row else None


async def resolve_alert(held: PoolConnectionProxy, rule: Rule, window: Window) -> Alert | None:
    """The row, now resolved, with the counts that resolved it in `details.resolved`; None if none was raised."""
    row = await held.fetchrow(
        f"""
        UPDATE sentiment_alerts
           SET resolved_at = now(), details = details || jsonb_build_object('resolved', $2::jsonb)
         WHERE alert_type = $1 AND resolved_at IS NULL
        RETURNING {_ALERT}
        """,
        rule.alert_type,
        msgspec.json.encode(rule.details(window)).decode(),
    )
    return _alert(row) if row else None
