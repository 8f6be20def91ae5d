"""The outbox of webhooks: filled by who raises or resolves an alert, emptied by every API process."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from services.api.queries.connection import connection

# After so long nobody wants to hear of it any more.
GIVEN_UP_AFTER = timedelta(hours=24)
# Of one webhook. What comes beyond them is given up at once; the alert says so.
MAX_WAITING = 1_000
# Who has claimed a message and died is followed by another after so long: longer than an attempt can take.
LEASE = timedelta(seconds=30)

_WAITING = "delivered_at IS NULL AND given_up_at IS NULL"
_ENQUEUE = f"""
    INSERT INTO alert_deliveries (alert_id, webhook, change, body, given_up_at, last_error)
    SELECT $1, name, $3, $4, CASE WHEN is_full THEN now() END,
           CASE WHEN is_full THEN '{MAX_WAITING:,} messages wait for this webhook already' END
      FROM (SELECT name, (SELECT count(*) FROM alert_deliveries
                           WHERE webhook = name AND {_WAITING}) >= {MAX_WAITING} AS is_full
              FROM unnest($2::text[]) AS name) AS names
    ON CONFLICT (alert_id, webhook, change) DO NOTHING
"""  # nosec B608 # constants
# The oldest, and of an alert never the end before the beginning. Claimed, not locked while it is sent: a transaction
# that stays open for the length of a request would hold up whoever waits for the open ones.
_CLAIM = f"""
    UPDATE alert_deliveries SET attempts = attempts + 1, next_attempt_at = now() + $2::interval
     WHERE id = (SELECT id FROM alert_deliveries AS d
                  WHERE webhook = $1 AND {_WAITING} AND next_attempt_at <= now()
                    AND NOT EXISTS (SELECT FROM alert_deliveries AS before
                                     WHERE before.alert_id = d.alert_id AND before.webhook = d.webhook
                                       AND before.id < d.id
                                       AND before.delivered_at IS NULL AND before.given_up_at IS NULL)
                  ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, key, body, attempts
"""  # nosec B608 # a constant
_FAILED = """
    UPDATE alert_deliveries
       SET last_error = $2, next_attempt_at = now() + $3::interval,
           given_up_at = CASE WHEN now() + $3::interval > created_at + $4::interval THEN now() END
     WHERE id = $1 AND delivered_at IS NULL
    RETURNING given_up_at IS NOT NULL
"""


@dataclass(frozen=True)
class Claimed:
    """A message that is ours to send. `key` is the same at every attempt; `attempts` counts this one."""

    id: int
    key: UUID
    body: str
    attempts: int


async def enqueue(held: PoolConnectionProxy, alert_id: int, webhooks: Sequence[str], change: str, body: str) -> None:
    """In the transaction of the change: there is a message exactly if there is the alert."""
    if webhooks:
        await held.execute(_ENQUEUE, alert_id, list(webhooks), change, body)


async def were_told(held: PoolConnectionProxy, alert_id: int) -> list[str]:
    """The webhooks that were to hear that the alert was raised, and so want to hear of its end."""
    rows = await held.fetch(
        "SELECT webhook FROM alert_deliveries WHERE alert_id = $1 AND change = 'raised' ORDER BY id", alert_id
    )
    return [row["webhook"] for row in rows]


async def claim(pool: asyncpg.Pool, webhook: str) -> Claimed | None:
    """The next message of the webhook; nobody else gets it for as long as LEASE."""
    async with connection(pool) as held:
        row = await held.fetchrow(_CLAIM, webhook, LEASE)
    return Claimed(**row) if row else None


async def delivered(pool: asyncpg.Pool, claimed: Claimed) -> None:
    async with connection(pool) as held:
        await held.execute(
            "UPDATE alert_deliveries SET delivered_at = now(), given_up_at = NULL, last_error = NULL WHERE id = $1",
            claimed.id,
        )


async def failed(
    pool: asyncpg.Pool, webhook: str, claimed: Claimed, error: str, wait: timedelta, *, others_too: bool
) -> bool:
    """Whether the message is given up. `others_too`: all others of the webhook wait as well."""
    async with connection(pool) as held:
        given_up = bool(await held.fetchval(_FAILED, claimed.id, error[:200], wait, GIVEN_UP_AFTER))
        if others_too:
            await held.execute(
                f"""
                UPDATE alert_deliveries SET next_attempt_at = now() + $2::interval
                 WHERE webhook = $1 AND {_WAITING} AND next_attempt_at < now() + $2::interval
                """,  # nosec B608 # a constant
                webhook,
                wait,
            )
    return given_up


async def give_up_old(held: PoolConnectionProxy) -> None:
    """Also those of webhooks that are in no settings any more."""
    await held.execute(
        f"""
        UPDATE alert_deliveries
           SET given_up_at = now(), last_error = coalesce(last_error, 'nobody sent it within a day')
         WHERE {_WAITING} AND created_at < now() - $1::interval AND next_attempt_at <= now()
        """,  # nosec B608 # a constant
        GIVEN_UP_AFTER,
    )


async def count_waiting(pool: asyncpg.Pool, webhook: str) -> int:
    async with connection(pool) as held:
        sql = f"SELECT count(*) FROM alert_deliveries WHERE webhook = $1 AND {_WAITING}"  # nosec B608 # a constant
        return int(await held.fetchval(sql, webhook))


@dataclass(frozen=True)
class DeliveryState:
    webhook: str
    change: str
    attempts: int
    last_error: str | None
    next_attempt_at: datetime
    delivered_at: datetime | None
    given_up_at: datetime | None


async def read_deliveries(pool: asyncpg.Pool, alert_id: int) -> list[DeliveryState]:
    async with connection(pool) as held:
        rows = await held.fetch(
            """
            SELECT webhook, change, attempts, last_error, next_attempt_at, delivered_at, given_up_at
              FROM alert_deliveries WHERE alert_id = $1 ORDER BY id
            """,
            alert_id,
        )
    return [DeliveryState(**row) for row in rows]
