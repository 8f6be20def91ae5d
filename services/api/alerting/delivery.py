"""Takes messages out of the outbox and sends them, until each is delivered or a day old."""

import random
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

import asyncpg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.api.alerting.webhooks import ATTEMPT_TIMEOUT_S, Webhooks
from services.api.queries import deliveries
from services.common.logging import get_logger

log = get_logger(__name__)

POLL_INTERVAL_S = 2.0
# One after another: a receiver as Slack takes about one a second.
MAX_PER_TURN = 5
TURN_TIMEOUT_S = MAX_PER_TURN * (ATTEMPT_TIMEOUT_S + 2)

FIRST_WAIT_S = 2.0
MAX_WAIT_S = 900.0
DOUBLINGS = 10
OUTCOMES = ("delivered", "failed", "given_up")


class WebhookMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.attempts = Counter(
            "undertone_webhook_attempts",
            "Messages that were tried to send, by outcome: delivered, failed (it is tried again), given_up",
            ["webhook", "outcome"],
            registry=registry,
        )
        self.seconds = Histogram(
            "undertone_webhook_attempt_duration_seconds",
            "Time of an attempt",
            ["webhook"],
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )
        self.waiting = Gauge(
            "undertone_webhook_waiting", "Messages that wait, of all API processes", ["webhook"], registry=registry
        )


def wait_s(attempts: int, chance: float) -> float:
    """How long after so many attempts: doubled with each, up to MAX_WAIT_S; `chance` (0 to 1) takes off up to half.

    What failed together shall not come back together.
    """
    longest: float = min(FIRST_WAIT_S * 2 ** min(attempts - 1, DOUBLINGS), MAX_WAIT_S)
    return longest * (1 - chance / 2)


class Courier:
    """Sends the messages of one webhook. Each has its own, so that a receiver that hangs keeps no other waiting."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        webhooks: Webhooks,
        name: str,
        metrics: WebhookMetrics,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._pool = pool
        self._webhooks = webhooks
        self._name = name
        self._metrics = metrics
        self._chance = chance
        # As start_at_zero: the first failure is an increase, too.
        for outcome in OUTCOMES:
            metrics.attempts.labels(name, outcome)

    async def run_once(self) -> None:
        """Sends what is due, a few of them. Transient if the database is away; safe to repeat."""
        for _ in range(MAX_PER_TURN):
            claimed = await deliveries.claim(self._pool, self._name)
            if claimed is None or not await self._send(claimed):
                break
        waiting = await deliveries.count_waiting(self._pool, self._name)
        self._metrics.waiting.labels(self._name).set(waiting)

    async def _send(self, claimed: deliveries.Claimed) -> bool:
        """Whether the next one is worth trying."""
        began = monotonic()
        outcome = await self._webhooks.send(self._name, claimed.key, claimed.body)
        self._metrics.seconds.labels(self._name).observe(monotonic() - began)
        if outcome.error is None:
            await deliveries.delivered(self._pool, claimed)
            self._metrics.attempts.labels(self._name, "delivered").inc()
            log.info("webhook_delivered", webhook=self._name, delivery=str(claimed.key), attempts=claimed.attempts)
            return True
        pause_s = max(wait_s(claimed.attempts, self._chance()), outcome.retry_after_s or 0.0)
        pause = timedelta(seconds=pause_s)
        given_up = await deliveries.failed(
            self._pool, self._name, claimed, outcome.error, pause, others_too=outcome.is_down
        )
        self._metrics.attempts.labels(self._name, "given_up" if given_up else "failed").inc()
        log.warning(
            "webhook_given_up" if given_up else "webhook_failed",
            webhook=self._name,
            delivery=str(claimed.key),
            attempts=claimed.attempts,
            reason=outcome.error,
        )
        return not outcome.is_down
