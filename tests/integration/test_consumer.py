"""What one worker leaves behind, another finishes."""

import asyncio

import pytest
from redis.asyncio import Redis

from services.common.errors import Transient
from services.common.streams import RESULTS_CHANNEL, ensure_group, group_state, open_redis
from services.worker.consumer import Consumer, joined
from tests.redis_reads import entry_ids
from tests.waiting import eventually

GROUP = "workers"


def make_consumer(redis: Redis, stream: str, *, claim_idle_ms: int = 100) -> Consumer:
    return Consumer(redis, stream, GROUP, count=10, block_ms=50, claim_idle_ms=claim_idle_ms)


async def test_entries_of_a_dead_consumer_are_taken_over(redis_url: str, stream_name: str) -> None:
    async with open_redis(redis_url) as redis:
        await ensure_group(redis, stream_name, GROUP)
        for n in range(25):
            await redis.xadd(stream_name, {"n": n})
        ids = {entry.decode() for entry in await entry_ids(redis, stream_name)}
        dead = make_consumer(redis, stream_name)
        taken = await dead.read() + await dead.read()
        assert len(taken) == 20
        living = make_consumer(redis, stream_name)
        seen: set[str] = set()
        while len(seen) < len(ids):
            entries = await living.read()
            seen |= {entry.stream_id for entry in entries}
            await living.acknowledge(entries)
        assert seen == ids
        assert (await group_state(redis, stream_name, GROUP)).pending == 0


async def test_a_consumer_does_not_take_over_what_it_has_in_hand_itself(redis_url: str, stream_name: str) -> None:
    async with open_redis(redis_url) as redis:
        await ensure_group(redis, stream_name, GROUP)
        for n in range(3):
            await redis.xadd(stream_name, {"n": n})
        consumer = make_consumer(redis, stream_name, claim_idle_ms=20)
        entries = await consumer.read()
        # Idle for longer than the limit: another consumer could have them now, and would.
        await asyncio.sleep(0.05)
        assert await consumer.read() == []
        other = make_consumer(redis, stream_name, claim_idle_ms=20)
        await asyncio.sleep(0.05)
        assert await other.read() == entries


async def test_an_announcement_travels_with_the_acknowledgement(redis_url: str, stream_name: str) -> None:
    async with open_redis(redis_url) as redis, redis.pubsub() as listener:
        await listener.subscribe(RESULTS_CHANNEL)
        await ensure_group(redis, stream_name, GROUP)
        await redis.xadd(stream_name, {"n": 1})
        consumer = make_consumer(redis, stream_name)
        await consumer.acknowledge(await consumer.read(), b"news")
        assert (await group_state(redis, stream_name, GROUP)).pending == 0

        async def heard() -> bool:
            message = await listener.get_message(ignore_subscribe_messages=True)
            return message is not None and message["data"] == b"news"

        await eventually(heard, "the announcement")


async def test_entries_of_a_living_consumer_are_left_alone(redis_url: str, stream_name: str) -> None:
    async with open_redis(redis_url) as redis:
        await ensure_group(redis, stream_name, GROUP)
        await redis.xadd(stream_name, {"n": 1})
        busy, other = (make_consumer(redis, stream_name, claim_idle_ms=60_000) for _ in range(2))
        assert len(await busy.read()) == 1
        assert await other.read() == []


async def test_a_lost_group_is_created_again_and_nothing_is_skipped(redis_url: str, stream_name: str) -> None:
    async with open_redis(redis_url) as redis:
        await ensure_group(redis, stream_name, GROUP)
        consumer = make_consumer(redis, stream_name)
        assert await consumer.read() == []
        await redis.delete(stream_name)
        await redis.xadd(stream_name, {"n": 1})
        with pytest.raises(Transient, match="created again"):
            await consumer.read()
        assert len(await consumer.read()) == 1


async def test_a_consumer_that_holds_posts_does_not_leave_the_group(redis_url: str, stream_name: str) -> None:
    async with open_redis(redis_url) as redis:
        await ensure_group(redis, stream_name, GROUP)
        await redis.xadd(stream_name, {"n": 1})
        async with (
            joined(make_consumer(redis, stream_name)) as holding,
            joined(make_consumer(redis, stream_name)) as idle,
        ):
            assert len(await holding.read()) == 1
            assert await idle.read() == []
        names = {consumer["name"].decode() for consumer in await redis.xinfo_consumers(stream_name, GROUP)}
        assert names == {holding.name}


async def test_a_redis_that_is_away_is_transient(stream_name: str) -> None:
    async with open_redis("redis://127.0.0.1:1/0") as redis:
        with pytest.raises(Transient):
            await asyncio.wait_for(make_consumer(redis, stream_name).read(), 10)
