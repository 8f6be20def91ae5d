"""What one worker leaves behind, another finishes."""

import asyncio
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis

from services.common.errors import Transient
from services.common.streams import RESULTS_CHANNEL, ensure_group, group_state, open_redis, trim_processed
from services.worker.consumer import SUSPECT_AFTER_DELIVERIES, Consumer, Entry, joined
from tests.redis_reads import entry_ids, read_group
from tests.waiting import eventually

GROUP = "workers"


def make_consumer(redis: Redis, stream: str, *, claim_idle_ms: int = 100, count: int = 10) -> Consumer:
    return Consumer(redis, stream, GROUP, count=count, block_ms=50, claim_idle_ms=claim_idle_ms)


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


async def test_what_is_in_hand_is_not_taken_over_while_it_is_held_and_that_counts_as_no_delivery(
    redis_url: str, stream_name: str
) -> None:
    async with open_redis(redis_url) as redis:
        await ensure_group(redis, stream_name, GROUP)
        for n in range(1_500):
            await redis.xadd(stream_name, {"n": n})
        holding, *others = (make_consumer(redis, stream_name, claim_idle_ms=60_000, count=1_500) for _ in range(4))
        entries = await holding.read()
        ids: list[Any] = [entry.stream_id for entry in entries]

        async def let_a_minute_pass() -> None:
            await redis.xclaim(stream_name, GROUP, holding.name, 0, ids, idle=60_000, justid=True)

        # Who has looked for what is idle does not look again so soon: another one each time.
        for other in others[:2]:
            await let_a_minute_pass()
            assert await holding.read() == []
            await holding.hold()
            assert await other.read() == []
        pending: Any = await redis.xpending_range(stream_name, GROUP, "-", "+", 2_000)
        assert {each["times_delivered"] for each in pending} == {1}
        # Nobody holds it any more: as if the process had died.
        await let_a_minute_pass()
        survivor, taken = others[2], list[Entry]()
        await eventually(lambda: read_into(taken, survivor, len(entries)), "taken over")
        assert [entry.stream_id for entry in taken] == [entry.stream_id for entry in entries]
        assert {entry.deliveries for entry in taken} == {2}
        # Who was only paused does not take them back.
        await holding.hold()
        owners: Any = await redis.xpending_range(stream_name, GROUP, "-", "+", 2_000)
        assert {each["consumer"] for each in owners} == {survivor.name.encode()}


async def read_into(taken: list[Entry], consumer: Consumer, count: int) -> bool:
    taken += await consumer.read()
    return len(taken) >= count


async def test_posts_that_nobody_lived_to_acknowledge_come_alone_and_count_only_when_they_are_tried(
    redis_url: str, stream_name: str
) -> None:
    async with open_redis(redis_url) as redis:
        await ensure_group(redis, stream_name, GROUP)
        for n in range(3):
            await redis.xadd(stream_name, {"n": n})
        taken: list[Entry] = []
        for delivery in range(1, SUSPECT_AFTER_DELIVERIES + 1):
            dying, taken = make_consumer(redis, stream_name), []
            await eventually(partial(read_into, taken, dying, 3), "delivered again")
            assert {entry.deliveries for entry in taken} == {delivery}
        # Workers that die before they try a suspect do it no harm.
        for _ in range(2):
            dying, taken = make_consumer(redis, stream_name), []
            await eventually(partial(read_into, taken, dying, 1), "a suspect")
            assert [entry.deliveries for entry in taken] == [SUSPECT_AFTER_DELIVERIES + 1]
        dying, taken = make_consumer(redis, stream_name), []
        await eventually(partial(read_into, taken, dying, 1), "a suspect")
        (tried,) = taken
        await dying.count_delivery(tried)
        living, taken = make_consumer(redis, stream_name), []
        await redis.xadd(stream_name, {"n": 3})
        found: list[list[Entry]] = []
        while len(taken) < 4:
            found.append(await living.read())
            taken += found[-1]
        assert [len(entries) for entries in found if entries and entries[0].is_suspect] == [1, 1, 1]
        deliveries = {entry.stream_id: entry.deliveries for entry in taken}
        assert deliveries.pop(tried.stream_id) == SUSPECT_AFTER_DELIVERIES + 2
        assert sorted(deliveries.values()) == [1, SUSPECT_AFTER_DELIVERIES + 1, SUSPECT_AFTER_DELIVERIES + 1]
        await living.acknowledge(taken)
        assert (await group_state(redis, stream_name, GROUP)).pending == 0


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
            joined(make_consumer(redis, stream_name, claim_idle_ms=60_000)) as holding,
            joined(make_consumer(redis, stream_name, claim_idle_ms=60_000)) as idle,
        ):
            assert len(await holding.read()) == 1
            assert await idle.read() == []
        names = {consumer["name"].decode() for consumer in await redis.xinfo_consumers(stream_name, GROUP)}
        assert names == {holding.name}


async def test_a_redis_that_is_away_is_transient(stream_name: str) -> None:
    async with open_redis("redis://127.0.0.1:1/0") as redis:
        with pytest.raises(Transient):
            await asyncio.wait_for(make_consumer(redis, stream_name).read(), 10)


async def test_consumers_that_are_gone_are_forgotten_also_where_their_names_are_no_text(
    redis_url: str, stream_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.worker.consumer.FORGET_CONSUMER_AFTER_MS", -1)
    async with open_redis(redis_url) as redis:
        await ensure_group(redis, stream_name, GROUP)
        await redis.xadd(stream_name, {"n": 1})
        names: list[Any] = [b"\xff\x00", b"silent", b"holds something"]
        for name in names:
            await redis.xgroup_createconsumer(stream_name, GROUP, name)
        await redis.xreadgroup(GROUP, names[-1], {stream_name: ">"})
        async with joined(make_consumer(redis, stream_name)) as consumer:
            await consumer.read()
            await consumer.forget_dead_consumers()
            left = {each["name"] for each in await redis.xinfo_consumers(stream_name, GROUP)}
            assert left == {names[-1], consumer.name.encode()}
        assert [each["name"] for each in await redis.xinfo_consumers(stream_name, GROUP)] == [names[-1]]


async def test_what_arrives_while_a_consumer_leaves_is_not_lost_with_it(redis_url: str, stream_name: str) -> None:
    """A read that was held up on its way, and for which nobody waits any more."""
    async with open_redis(redis_url) as redis, open_redis(redis_url) as late:
        await ensure_group(redis, stream_name, GROUP)
        for n in range(100):
            consumer = make_consumer(redis, stream_name)
            await redis.xgroup_createconsumer(stream_name, GROUP, consumer.name)
            await redis.xadd(stream_name, {"n": n})
            await asyncio.gather(consumer.leave(), read_group(late, stream_name, GROUP, consumer.name, 10), late.ping())
        state = await group_state(redis, stream_name, GROUP)
        assert state.pending + state.lag == 100


async def test_silent_consumers_that_hold_nothing_are_forgotten(
    redis_url: str, stream_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.worker.consumer.FORGET_CONSUMER_AFTER_MS", 50)
    async with open_redis(redis_url) as redis:
        await ensure_group(redis, stream_name, GROUP)
        await redis.xadd(stream_name, {"n": 1})
        holding, silent, living = (make_consumer(redis, stream_name, claim_idle_ms=60_000) for _ in range(3))
        for consumer in (holding, silent, living):
            await consumer.read()

        async def only_two() -> bool:
            await living.forget_dead_consumers()
            names = {each["name"].decode() for each in await redis.xinfo_consumers(stream_name, GROUP)}
            return names == {holding.name, living.name}

        await eventually(only_two, "the silent one is forgotten, not the one that holds a post")


async def test_a_stream_that_is_gone_is_waited_for(redis_url: str, stream_name: str) -> None:
    async with open_redis(redis_url) as redis:
        consumer = make_consumer(redis, stream_name)
        for step in (consumer.leave, consumer.forget_dead_consumers, partial(trim_processed, redis, stream_name)):
            with pytest.raises(Transient):
                await step()
