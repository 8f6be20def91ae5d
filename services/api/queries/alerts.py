"""The statements of a turn: whose it is, what is raised, what was counted; all in the transaction of who has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from services.api.alerting.row import Alert, AlertScope
from services.api.alerting.rule import BUILT_IN_ID, BUILT_IN_NAME, HIGH_NEGATIVE_RATIO, Rule, Window
from services.api.queries.rollups import read_progress
from services.api.queries.totals import count_labels

# Any fixed number, the same in every version: who holds this lock evaluates, the others leave it to them.
ALERT_LOCK = 7_316_605_513
# A process that freezes with the lock in its hand loses it after so long.
FROZEN_AFTER_MS = 15_000
# What is stored shows at most so long after the moment that it bears: a moment for those at work, which PostgreSQL
# lists, and for longer ones only as long as a worker waits for its statement.
SETTLED_AFTER = timedelta(seconds=3)
SETTLED_AT_LAST = timedelta(seconds=30)

ALERT_COLUMNS = """id, alert_type, threshold_value, actual_value, window_start, window_end, post_count, triggered_at,
            resolved_at, details::text, rule_id, rule_name, source, keyword, emotion, acknowledged_at,
            acknowledged_note"""


def alert_of(row: asyncpg.Record | Mapping[str, Any]) -> Alert:
    """The alert of a row of ALERT_COLUMNS. One from before there were rules is that of the settings."""
    values = dict(row)
    if values["alert_type"] == HIGH_NEGATIVE_RATIO:
        values["rule_id"] = BUILT_IN_ID
    values["rule_name"] = values["rule_name"] or (
        BUILT_IN_NAME if values["rule_id"] == BUILT_IN_ID else values["alert_type"]
    )
    scope = AlertScope(**{name: values.pop(name) for name in ("source", "keyword", "emotion")})
    return Alert(**values | {"details": msgspec.json.decode(values["details"]), "scope": scope})


async def take_turn(held: PoolConnectionProxy) -> bool:
    """Whether this transaction may evaluate the rules; false while another process does."""
    await held.execute(f"SET LOCAL idle_in_transaction_session_timeout = {FROZEN_AFTER_MS}")
    return bool(await held.fetchval("SELECT pg_try_advisory_xact_lock($1)", ALERT_LOCK))


async def wait_for_turn(held: PoolConnectionProxy) -> None:
    """The same for who changes a rule: nobody evaluates meanwhile what it was."""
    await held.execute(f"SET LOCAL idle_in_transaction_session_timeout = {FROZEN_AFTER_MS}")
    await held.execute("SELECT pg_advisory_xact_lock($1)", ALERT_LOCK)


async def settled_before(held: PoolConnectionProxy) -> datetime:
    """The moment before which no post comes any more.

    A post bears the moment at which its transaction began, and can be seen when that has ended: the earliest one that
    is open is the bound, but not a long one (a backup, an index that is being made), which would stop us.
    """
    moment: datetime = await held.fetchval(
        """
        SELECT greatest(least(now() - $1::interval, min(xact_start)), now() - $2::interval) FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
        """,
        SETTLED_AFTER,
        SETTLED_AT_LAST,
    )
    return moment


async def read_window(held: PoolConnectionProxy, minutes: int) -> Window:
    """The posts ingested in the last `minutes`, by the database's clock, and the negative ones."""
    progress = await read_progress(held)
    length = timedelta(minutes=minutes)
    posts = await count_labels(held, progress, length)
    return Window(
        matching=posts.get("negative", 0), total=sum(posts.values()), start=progress.now - length, end=progress.now
    )


async def is_raised(held: PoolConnectionProxy, alert_type: str) -> bool:
    sql = "SELECT EXISTS (SELECT FROM sentiment_alerts WHERE alert_type = $1 AND resolved_at IS NULL)"
    return bool(await held.fetchval(sql, alert_type))


async def read_raised(held: PoolConnectionProxy) -> set[str]:
    """The alert_type of each alert that is raised."""
    rows = await held.fetch("SELECT alert_type FROM sentiment_alerts WHERE resolved_at IS NULL")
    return {row["alert_type"] for row in rows}


async def is_cooling(held: PoolConnectionProxy, alert_type: str, minutes: int) -> bool:
    """Whether an alert of this type was resolved within the last `minutes`, by any version of us."""
    sql = "SELECT EXISTS (SELECT FROM sentiment_alerts WHERE alert_type = $1 AND resolved_at > now() - $2::interval)"
    return bool(await held.fetchval(sql, alert_type, timedelta(minutes=minutes)))


async def raise_alert(
    held: PoolConnectionProxy, rule: Rule, window: Window, newest_ids: Sequence[int] = ()
) -> Alert | None:
    """The new row; None if it is raised already: the unique index has the last word.

    `newest_ids`: posts that made it, where only who counted them knows.
    """
    row = await held.fetchrow(
        f"""
        INSERT INTO sentiment_alerts
               (alert_type, threshold_value, actual_value, window_start, window_end, post_count, details,
                rule_id, rule_name, source, keyword, emotion, newest_ids)
        VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10, $11, $12, $13)
        ON CONFLICT (alert_type) WHERE resolved_at IS NULL DO NOTHING
        RETURNING {ALERT_COLUMNS}
        """,  # nosec B608 # columns
        rule.alert_type,
        rule.threshold,
        rule.value(window),
        window.start,
        window.end,
        min(window.total, 2**31 - 1),
        msgspec.json.encode(rule.details(window)).decode(),
        *(rule.id, rule.name, rule.source, rule.keyword, rule.emotion),
        list(newest_ids) or None,
    )
    return alert_of(row) if row else None


async def resolve_alert(held: PoolConnectionProxy, rule: Rule, window: Window) -> Alert | None:
    """The row, now resolved, with the counts that resolved it in `details.resolved`; None if none was raised."""
    return await _resolve(held, rule.alert_type, rule.details(window))


async def close_alert(held: PoolConnectionProxy, rule: Rule, reason: str) -> Alert | None:
    """The same for a rule that is no more what it was, with the reason."""
    return await _resolve(held, rule.alert_type, {"reason": reason})


async def _resolve(held: PoolConnectionProxy, alert_type: str, resolved: object) -> Alert | None:
    row = await held.fetchrow(
        f"""
        UPDATE sentiment_alerts
           SET resolved_at = now(), details = details || jsonb_build_object('resolved', $2::jsonb)
         WHERE alert_type = $1 AND resolved_at IS NULL
        RETURNING {ALERT_COLUMNS}
        """,  # nosec B608 # columns
        alert_type,
        msgspec.json.encode(resolved).decode(),
    )
    return alert_of(row) if row else None


@dataclass(frozen=True)
class Evaluated:
    """What a rule said of a window. `cools`: it resolved its alert."""

    rule: Rule
    window: Window
    cools: bool = False


async def record_states(held: PoolConnectionProxy, evaluated: Sequence[Evaluated]) -> None:
    await held.execute(
        """
        INSERT INTO alert_rule_states AS s (rule_id, last_value, last_posts, window_end, evaluated_at, cools_until)
        SELECT rule_id, last_value, last_posts, window_end, now(), now() + cools_for
          FROM unnest($1::bigint[], $2::float8[], $3::bigint[], $4::timestamptz[], $5::interval[])
               AS t (rule_id, last_value, last_posts, window_end, cools_for)
        ON CONFLICT (rule_id) DO UPDATE
           SET last_value = excluded.last_value, last_posts = excluded.last_posts, window_end = excluded.window_end,
               evaluated_at = excluded.evaluated_at, cools_until = coalesce(excluded.cools_until, s.cools_until)
        """,
        [each.rule.id for each in evaluated],
        [each.rule.value(each.window) for each in evaluated],
        [each.window.total for each in evaluated],
        [each.window.end for each in evaluated],
        [each.rule.window if each.cools else None for each in evaluated],
    )
