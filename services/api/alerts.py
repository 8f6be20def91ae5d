"""Raises and resolves alerts, one process at a time, and tells every process on the results channel."""

from collections import deque
from typing import Literal

import asyncpg
from redis.asyncio import Redis

from services.api.alert_rule import Decision, Rule
from services.api.queries import alerts as queries
from services.api.queries.connection import connection
from services.api.schemas import Alert
from services.common.logging import get_logger
from services.common.messages import AlertMessage, encode_message
from services.common.streams import RESULTS_CHANNEL, redis_errors

log = get_logger(__name__)

# Announcements that wait while Redis is away. Those beyond are lost to live clients only: /api/alerts has every one.
MAX_UNANNOUNCED = 16


class AlertWatch:
    """The rule, evaluated against the database, whose rows are the only state: any process may take the next turn."""

    def __init__(self, pool: asyncpg.Pool, redis: Redis, rule: Rule) -> None:
        self._pool = pool
        self._redis = redis
        self._rule = rule
        self._unannounced: deque[AlertMessage] = deque(maxlen=MAX_UNANNOUNCED)

    async def run_once(self) -> None:
        """Evaluates, then announces what changed. Transient if the database or Redis is away; safe to repeat."""
        change = await self.evaluate()
        if change is not None:
            log.warning(f"alert_{change.change}", id=change.alert["id"], details=change.alert["details"])
            self._unannounced.append(change)
        while self._unannounced:
            with redis_errors():
                await self._redis.publish(RESULTS_CHANNEL, encode_message(self._unannounced[0]))
            self._unannounced.popleft()

    async def evaluate(self) -> AlertMessage | None:
        """One turn; None if nothing changed or if it is another process's turn."""
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
            if decision is Decision.RAISE:
                return _message("raised", await queries.raise_alert(held, rule, window))
            if decision is Decision.RESOLVE:
                return _message("resolved", await queries.resolve_alert(held, rule, window))
            return None


def _message(change: Literal["raised", "resolved"], row: Alert | None) -> AlertMessage | None:
    return AlertMessage(change=change, alert=row.model_dump(mode="json")) if row else None
