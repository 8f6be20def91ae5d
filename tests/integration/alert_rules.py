"""Rules, posts for them, and time that passes: what the tests of alerts share."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from services.api.alerting.rule import Rule
from services.api.alerting.watch import AlertWatch
from services.api.queries.alert_rules import changing, insert_rule
from tests.integration.test_api_server import Api
from tests.rows import count_again, insert, make_older
from tests.waiting import eventually

BUILT_IN = Rule(threshold=0.5, window_minutes=5, min_posts=10)
RATIO = Rule(threshold=0.5, window_minutes=5, min_posts=10, id=1, name="ratio")
# In whole minutes that have ended, and within five of them.
AGE = timedelta(minutes=2)
BODY = {"name": "Trains", "kind": "sentiment_ratio", "threshold": 0.5, "window_minutes": 5, "min_posts": 5}


async def add(pool: asyncpg.Pool, *, counted_from_now: bool = False, **change: Any) -> Rule:
    """A rule, whose keyword is looked for in every post that is there already unless it shall not be."""
    async with changing(pool) as held:
        if not counted_from_now:
            await held.execute("UPDATE alert_keyword_progress SET next_id = 0")
        return await insert_rule(held, replace(RATIO, **change))


async def store_posts(pool: asyncpg.Pool, count: int, label: str, *, age: timedelta = AGE, **post: Any) -> None:
    async with pool.acquire() as held:
        stored = await held.fetchval("SELECT count(*) FROM social_media_posts")
        for number in range(stored, stored + count):
            moment = datetime.now(UTC) - age
            await insert(held, f"p{number}", label=label, ingested_at=moment, counted=False, **post)
        await count_again(held)


async def later(pool: asyncpg.Pool, minutes: int) -> None:
    """Lets time pass: everything becomes older."""
    step = timedelta(minutes=minutes)
    async with pool.acquire() as held:
        await make_older(held, step)
        await held.execute("UPDATE sentiment_alerts SET resolved_at = resolved_at - $1::interval", step)
        await held.execute(
            "UPDATE alert_rule_states SET window_end = window_end - $1::interval, cools_until = cools_until - $1", step
        )
        await held.execute("UPDATE alert_keyword_minutes SET minute = minute - $1::interval", step)
        shift = (step // timedelta(milliseconds=1)) << 20
        await held.execute("UPDATE alert_keyword_progress SET next_id = next_id - $1::bigint", shift)


async def turn(watch: AlertWatch) -> list[tuple[str, object]]:
    """What changed in one turn of the rules in the database."""
    await watch._keywords.run_once()
    return [(change.change, change.alert["rule_name"]) for change in await watch.evaluate_added()]


async def written(api: Api, method: str, path: str, body: object = None, status: int = 200) -> dict[str, Any]:
    answer = await api.http.request(method, f"/api/{path}", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def raised_alert(api: Api, rule_id: int) -> dict[str, Any]:
    async def raised() -> list[dict[str, Any]]:
        alerts: list[dict[str, Any]] = (await api.get("/api/alerts", rule_id=rule_id, state="raised"))["alerts"]
        return alerts

    (alert,) = await eventually(raised, "the alert")
    return alert
