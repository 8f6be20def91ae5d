"""Rules in the database: reading them, and changing them while nobody evaluates them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.api.alerting.rule import Rule
from services.api.queries.alerts import wait_for_turn
from services.api.queries.connection import connection

_COLUMNS = """id, name, kind, sentiment, emotion, source, keyword, threshold, window_minutes, min_posts, enabled,
              webhooks"""


@dataclass(frozen=True)
class RuleStatus:
    """What a rule said last, and whether it rests since it resolved an alert."""

    last_value: float
    last_posts: int
    window_end: datetime
    evaluated_at: datetime
    cooling: bool


async def read_rules(held: PoolConnectionProxy, *, only_enabled: bool = False) -> list[Rule]:
    """In the order in which they were made."""
    where = "WHERE enabled" if only_enabled else ""
    return [_rule(row) for row in await held.fetch(f"SELECT {_COLUMNS} FROM alert_rules {where} ORDER BY id")]  # nosec B608 # constants


async def read_rule(held: PoolConnectionProxy, rule_id: int) -> Rule | None:
    row = await held.fetchrow(f"SELECT {_COLUMNS} FROM alert_rules WHERE id = $1", rule_id)  # nosec B608 # columns
    return _rule(row) if row else None


async def read_statuses(held: PoolConnectionProxy) -> Mapping[int, RuleStatus]:
    """By the rule's id; a rule that was never evaluated since it was written has none."""
    rows = await held.fetch(
        """
        SELECT rule_id, last_value, last_posts, window_end, evaluated_at,
               coalesce(cools_until > now(), false) AS cooling
          FROM alert_rule_states
        """
    )
    return {row["rule_id"]: RuleStatus(**{k: v for k, v in row.items() if k != "rule_id"}) for row in rows}


@asynccontextmanager
async def changing(pool: asyncpg.Pool) -> AsyncIterator[PoolConnectionProxy]:
    """A transaction that may change rules: one at a time, and none while they are evaluated."""
    async with connection(pool) as held, held.transaction():
        await wait_for_turn(held)
        yield held


async def is_taken(held: PoolConnectionProxy, name: str, *, but_by: int | None = None) -> bool:
    """Whether another rule has the name."""
    sql = "SELECT EXISTS (SELECT FROM alert_rules WHERE lower(name) = lower($1) AND id IS DISTINCT FROM $2)"
    return bool(await held.fetchval(sql, name, but_by))


async def count_rules(held: PoolConnectionProxy) -> int:
    return int(await held.fetchval("SELECT count(*) FROM alert_rules"))


async def insert_rule(held: PoolConnectionProxy, rule: Rule) -> Rule:
    """The rule with its id."""
    row = await held.fetchrow(
        f"""
        INSERT INTO alert_rules (name, kind, sentiment, emotion, source, keyword, threshold, window_minutes, min_posts,
                                 enabled, webhooks)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING {_COLUMNS}
        """,  # nosec B608 # columns
        *_values(rule),
    )
    assert row is not None
    return _rule(row)


async def update_rule(held: PoolConnectionProxy, rule: Rule) -> None:
    """Also forgets what the rule said and counted."""
    await held.execute(
        """
        UPDATE alert_rules
           SET name = $1, kind = $2, sentiment = $3, emotion = $4, source = $5, keyword = $6, threshold = $7,
               window_minutes = $8, min_posts = $9, enabled = $10, webhooks = $11, changed_at = now()
         WHERE id = $12
        """,
        *_values(rule),
        rule.id,
    )
    await held.execute("DELETE FROM alert_rule_states WHERE rule_id = $1", rule.id)
    await held.execute("DELETE FROM alert_keyword_minutes WHERE rule_id = $1", rule.id)


async def delete_rule(held: PoolConnectionProxy, rule_id: int) -> None:
    """Its alerts stay."""
    await held.execute("DELETE FROM alert_rule_states WHERE rule_id = $1", rule_id)
    await held.execute("DELETE FROM alert_rules WHERE id = $1", rule_id)


def _rule(row: asyncpg.Record) -> Rule:
    return Rule(**{**row, "webhooks": tuple(row["webhooks"])})


def _values(rule: Rule) -> tuple[object, ...]:
    return (
        *(rule.name, rule.kind, rule.sentiment, rule.emotion, rule.source, rule.keyword, rule.threshold),
        *(rule.window_minutes, rule.min_posts, rule.enabled, list(rule.webhooks)),
    )
