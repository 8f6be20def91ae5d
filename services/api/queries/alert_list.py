"""Alerts for readers, and what readers say to them."""

import asyncpg

from services.api.alerting.row import Alert, AlertState
from services.api.queries.alerts import ALERT_COLUMNS, alert_of
from services.api.queries.connection import connection

_IS_STATE = {
    "raised": "resolved_at IS NULL",
    "resolved": "resolved_at IS NOT NULL",
    "unacknowledged": "acknowledged_at IS NULL",
}
# Those from before there were rules are of the rule of the settings.
_OF_RULE = "coalesce(rule_id, CASE alert_type WHEN 'high_negative_ratio' THEN 0 END) = $2"


async def read_alerts(
    pool: asyncpg.Pool,
    *,
    limit: int,
    offset: int,
    alert_type: str | None = None,
    rule_id: int | None = None,
    state: AlertState | None = None,
) -> tuple[list[Alert], int]:
    """A page, newest first, and how many there are."""
    where = f"""WHERE ($1::text IS NULL OR alert_type = $1) AND ($2::bigint IS NULL OR {_OF_RULE})
                  AND {_IS_STATE[state] if state else "true"}"""
    async with connection(pool) as held:
        rows = await held.fetch(
            f"SELECT {ALERT_COLUMNS} FROM sentiment_alerts {where}"
            " ORDER BY triggered_at DESC, id DESC LIMIT $3 OFFSET $4",  # nosec B608 # constants
            alert_type,
            rule_id,
            limit,
            offset,
        )
        total = await held.fetchval(f"SELECT count(*) FROM sentiment_alerts {where}", alert_type, rule_id)  # nosec B608 # constants
    return [alert_of(row) for row in rows], int(total)


async def read_alert(pool: asyncpg.Pool, alert_id: int) -> tuple[Alert, list[int]] | None:
    """The alert, and the posts that made it as far as they were noted; None: there is none."""
    async with connection(pool) as held:
        row = await held.fetchrow(
            f"SELECT {ALERT_COLUMNS}, coalesce(newest_ids, '{{}}') AS newest_ids FROM sentiment_alerts WHERE id = $1",  # nosec B608 # columns
            alert_id,
        )
    if row is None:
        return None
    values = dict(row)
    newest_ids: list[int] = values.pop("newest_ids")
    return alert_of(values), newest_ids


async def acknowledge(pool: asyncpg.Pool, alert_id: int, note: str | None) -> tuple[Alert, bool] | None:
    """The alert and whether that is new: the first who says so counts. None: there is no such alert."""
    return await _mark(
        pool, alert_id, "acknowledged_at IS NULL", "acknowledged_at = now(), acknowledged_note = $2", note
    )


async def take_back(pool: asyncpg.Pool, alert_id: int) -> tuple[Alert, bool] | None:
    """The same for an acknowledgement that shall not have been."""
    unmark = "acknowledged_at = NULL, acknowledged_note = $2"
    return await _mark(pool, alert_id, "acknowledged_at IS NOT NULL", unmark, None)


async def _mark(
    pool: asyncpg.Pool, alert_id: int, condition: str, change: str, note: str | None
) -> tuple[Alert, bool] | None:
    async with connection(pool) as held:
        row = await held.fetchrow(
            f"UPDATE sentiment_alerts SET {change} WHERE id = $1 AND {condition} RETURNING {ALERT_COLUMNS}",  # nosec B608 # constants of the two callers
            alert_id,
            note,
        )
        if row:
            return alert_of(row), True
        row = await held.fetchrow(f"SELECT {ALERT_COLUMNS} FROM sentiment_alerts WHERE id = $1", alert_id)  # nosec B608 # columns
    return (alert_of(row), False) if row else None
