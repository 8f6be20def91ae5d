"""Background work ends when it is told to, whatever it was doing in that moment."""

import asyncio

import pytest
import redis.asyncio

from services.api.feed.subscription import Subscription
from services.api.metrics import ApiMetrics
from services.api.periodic import Periodic
from services.common.streams import open_redis


async def ends_when_cancelled(client: redis.asyncio.Redis, turns: int) -> bool:
    """Cancels a subscription and a ping after so many turns of the event loop."""
    metrics = ApiMetrics()
    subscription = Subscription(client, lambda _message: None, metrics)
    ping = Periodic("ping", client.ping, metrics, interval_s=30, timeout_s=30)
    tasks = [asyncio.create_task(ping.run()), asyncio.create_task(subscription.run(asyncio.Event()))]
    for _ in range(turns):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    _, running = await asyncio.wait(tasks, timeout=5)
    for task in running:
        task.cancel()
    return not running


@pytest.mark.parametrize("first", range(0, 60, 20))
async def test_it_ends_in_whatever_moment_it_is_cancelled(redis_url: str, first: int) -> None:
    for turns in range(first, first + 20):
        async with open_redis(redis_url) as client:  # a new connection each time: connecting has the most moments
            assert await ends_when_cancelled(client, turns), turns
