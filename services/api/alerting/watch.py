"""Raises and resolves alerts, one process at a time, and tells every process on the results channel, and webhooks."""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.api.alerting.keyword_watch import KeywordWatch
from services.api.alerting.message import alert_message
from services.api.alerting.row import Alert
from services.api.alerting.rule import Decision, Rule, Window
from services.api.queries import alerts as queries
from services.api.queries import deliveries
from services.api.queries.alert_rules import read_rules, read_statuses
from services.api.queries.alert_windows import Windows
from services.api.queries.alerts import Evaluated
from services.api.queries.connection import connection
from services.api.queries.keyword_counts import read_newest_ids
from services.common.cluster import Client, publish
from services.common.errors import Transient
from services.common.logging import get_logger
from services.common.messages import AlertMessage, ChannelMessage, encode_message
from services.common.streams import RESULTS_CHANNEL, redis_errors

log = get_logger(__name__)

# Announcements that wait while Redis is away: what all rules may change at once. Those beyond are lost to live clients
# only: /api/alerts has every one.
MAX_UNANNOUNCED = 128
ANNOUNCE_TIMEOUT_S = 1.0


class AlertWatch:
    """The rules, evaluated against the database, whose rows are the only state: any process may take the next turn."""

    def __init__(self, pool: asyncpg.Pool, redis: Client, rule: Rule, webhooks: Sequence[str] = ()) -> None:
        """`rule`: that of the settings. `webhooks`: those that there are."""
        self._pool = pool
        self._redis = redis
        self._rule = rule
        self._webhooks = webhooks
        self._keywords = KeywordWatch(pool)
        self._unannounced: deque[AlertMessage] = deque(maxlen=MAX_UNANNOUNCED)

    async def run_once(self) -> None:
        """Evaluates, then announces what changed. Transient if the database or Redis is away; safe to repeat."""
        if change := await self.evaluate():
            self._remember(change)
        await self._keywords.run_once()
        for change in await self.evaluate_added():
            self._remember(change)
        # Last: webhooks are told also while Redis is away.
        await self._announce()

    async def evaluate(self) -> AlertMessage | None:
        """One turn of the rule of the settings; None if nothing changed or if it is another process's turn."""
        rule = self._rule
        # The lock is the transaction's: commit, rollback and a lost connection all hand it to the next process.
        async with connection(self._pool) as held, held.transaction():
            if not await queries.take_turn(held):
                return None
            window = await queries.read_window(held, rule.window_minutes)
            decision = rule.decide(
                window,
                raised=await queries.is_raised(held, rule.alert_type),
                cooling=await queries.is_cooling(held, rule.alert_type, rule.window_minutes),
            )
            await queries.record_states(held, [Evaluated(rule, window)])
            return await self._act(held, rule, window, decision)

    async def evaluate_added(self) -> list[AlertMessage]:
        """One turn of the rules of the database, of each that has a whole new minute behind it; what changed."""
        async with connection(self._pool) as held, held.transaction():
            if not await queries.take_turn(held):
                return []
            await deliveries.give_up_old(held)
            rules = await read_rules(held, only_enabled=True)
            if not rules:
                return []
            statuses = await read_statuses(held)
            raised = await queries.read_raised(held)
            windows = await Windows.ending_now(held)
            due = [r for r in rules if r.id not in statuses or statuses[r.id].window_end < windows.end_of(r)]
            await windows.read_keywords([rule for rule in due if rule.keyword])
            evaluated, changes = [], []
            for rule in due:
                window = await windows.read(rule)
                cooling = rule.id in statuses and statuses[rule.id].cooling
                decision = rule.decide(window, raised=rule.alert_type in raised, cooling=cooling)
                evaluated.append(Evaluated(rule, window, cools=decision is Decision.RESOLVE))
                if change := await self._act(held, rule, window, decision):
                    changes.append(change)
            await queries.record_states(held, evaluated)
        return changes

    async def _act(
        self, held: PoolConnectionProxy, rule: Rule, window: Window, decision: Decision
    ) -> AlertMessage | None:
        if decision is Decision.RAISE:
            newest_ids = await read_newest_ids(held, rule, window) if rule.keyword else ()
            alert = await queries.raise_alert(held, rule, window, newest_ids)
            wanted = [name for name in rule.webhooks if name in self._webhooks]
            return await notify(held, alert, "raised", wanted) if alert else None
        if decision is Decision.RESOLVE:
            alert = await queries.resolve_alert(held, rule, window)
            return await notify(held, alert, "resolved") if alert else None
        return None

    def _remember(self, change: AlertMessage) -> None:
        alert = change.alert
        log.warning(f"alert_{change.change}", id=alert["id"], rule=alert["rule_name"], details=alert["details"])
        self._unannounced.append(change)

    async def _announce(self) -> None:
        while self._unannounced:
            with redis_errors():
                await publish(self._redis, RESULTS_CHANNEL, encode_message(self._unannounced[0]))
            self._unannounced.popleft()


async def notify(
    held: PoolConnectionProxy, alert: Alert, change: Literal["raised", "resolved"], webhooks: Sequence[str] = ()
) -> AlertMessage:
    """Puts the change into the outbox: a new alert's for `webhooks`, its end for those that heard of it."""
    told = webhooks if change == "raised" else await deliveries.were_told(held, alert.id)
    await deliveries.enqueue(held, alert.id, told, change, alert_message(alert, change))
    return AlertMessage(change=change, alert=alert.model_dump(mode="json"))


async def announce(redis: Client, change: ChannelMessage) -> None:
    """Tells live clients of what a request has done; they can ask, so a Redis that is away is no error of it."""
    with suppress(Transient, TimeoutError):
        async with asyncio.timeout(ANNOUNCE_TIMEOUT_S):
            with redis_errors():
                await publish(redis, RESULTS_CHANNEL, encode_message(change))
