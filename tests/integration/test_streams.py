"""Trimming and counting never touch what is not done."""

import asyncio
import random
import time
from contextlib import suppress
from typing import Any

import pytest

from services.common.errors import ConfigurationError, Transient
from services.common.streams import NoGroup, ensure_group, group_state, oldest_pending_s, open_redis, trim_processed
from tests.redis_reads import entry_ids, read_group

GROUP = "workers"


async def test_a_group_sees_what_was_added_before_it_existed(redis_url: str, stream_name: str) -> None:
    async with open_redis(redis_url) as redis:
        await redis.xadd(stream_name, {"a": 1})
        await asyncio.gather(*(ensure_group(redis, stream_name, GROUP) for _ in range(4)))
        state = await group_state(redis, stream_name, GROUP)
        assert (state.lag, state.pending) == (1, 0)


async def test_a_stream_that_does_not_exist_has_no_lag(redis_url: str, stream_name: str) -> None:
    async with open_redis(redis_url) as redis:
        assert (await group_state(redis, stream_name, GROUP)).lag == 0


async def test_trimming_keeps_every_unread_and_pending_entry_of_every_group(redis_url: str, stream_name: str) -> None:
    chance = random.Random(7)
    async with open_redis(redis_url) as redis:
        groups = ("one", "two")
        for group in groups:
            await ensure_group(redis, stream_name, group)
        open_ids: dict[str, set[bytes]] = {group: set() for group in groups}
        for _ in range(300):
            action = chance.random()
            group = chance.choice(groups)
            if action < 0.5:
                await redis.xadd(stream_name, {"a": 1})
            elif action < 0.75:
                open_ids[group] |= set(await read_group(redis, stream_name, group, "c", chance.randint(1, 9)))
            elif open_ids[group]:
                done = chance.sample(sorted(open_ids[group]), k=chance.randint(1, len(open_ids[group])))
                await redis.xack(stream_name, group, *done)
                open_ids[group] -= set(done)
            await trim_processed(redis, stream_name)
            left = set(await entry_ids(redis, stream_name))
            for group in groups:
                assert open_ids[group] <= left
                assert (await group_state(redis, stream_name, group)).pending == len(open_ids[group])
        for group in groups:
            await read_group(redis, stream_name, group, "c", 1000)
            pending = await redis.xpending_range(stream_name, group, "-", "+", 1000)
            if pending:
                await redis.xack(stream_name, group, *(entry["message_id"] for entry in pending))
        await trim_processed(redis, stream_name)
        assert await redis.xlen(stream_name) == 0


async def test_trimming_removes_nothing_that_nobody_acknowledged_while_the_group_is_lost_and_made_again(
    redis_url: str, stream_name: str
) -> None:
    async with open_redis(redis_url) as redis:
        for number in range(10):
            await redis.xadd(stream_name, {"a": number})
        before = await entry_ids(redis, stream_name)

        async def lose_the_group() -> None:
            for _ in range(300):
                await ensure_group(redis, stream_name, GROUP)
                await read_group(redis, stream_name, GROUP, "c", 10)
                await redis.xgroup_destroy(stream_name, GROUP)

        losing = asyncio.create_task(lose_the_group())
        while not losing.done():
            with suppress(Transient):
                await trim_processed(redis, stream_name)
        await losing
        assert await entry_ids(redis, stream_name) == before


async def test_nothing_is_trimmed_where_there_is_no_stream_or_no_group(redis_url: str, stream_name: str) -> None:
    async with open_redis(redis_url) as redis:
        with pytest.raises(NoGroup):
            await trim_processed(redis, stream_name)
        await redis.xadd(stream_name, {"a": 1})
        assert await trim_processed(redis, stream_name) == 0
        assert await redis.xlen(stream_name) == 1


async def test_a_group_whose_name_is_no_text_is_a_group_like_others(redis_url: str, stream_name: str) -> None:
    async with open_redis(redis_url) as redis:
        strange: Any = b"\xff\x00"
        await redis.xgroup_create(stream_name, strange, id="0", mkstream=True)
        await ensure_group(redis, stream_name, GROUP)
        await redis.xadd(stream_name, {"a": 1})
        await redis.xreadgroup(strange, "c", {stream_name: ">"})
        ids = await read_group(redis, stream_name, GROUP, "c", 1)
        await redis.xack(stream_name, GROUP, *ids)
        assert (await group_state(redis, stream_name, GROUP)).pending == 0
        assert await trim_processed(redis, stream_name) == 0


@pytest.mark.parametrize("query", ["socket_timeout=soon", "db=first"])
async def test_a_url_of_which_the_client_makes_nothing_is_told(query: str) -> None:
    with pytest.raises(ConfigurationError, match="check REDIS_URL"):
        async with open_redis(f"redis://localhost:1?{query}"):
            pass


async def test_an_option_of_the_url_that_is_not_known_is_told_in_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL has an option that is not known"):
        async with open_redis("redis://127.0.0.1:1/0?colour=blue"):
            pass
    async with open_redis("redis://127.0.0.1:1/0?socket_timeout=5"):
        pass


async def test_the_oldest_pending_entry_is_as_old_as_its_place_in_the_stream_says(
    redis_url: str, stream_name: str
) -> None:
    async with open_redis(redis_url) as redis:
        assert await oldest_pending_s(redis, stream_name, GROUP) == 0
        await ensure_group(redis, stream_name, GROUP)
        now_ms = int(time.time() * 1_000)
        ids = [await redis.xadd(stream_name, {"a": 1}, id=f"{now_ms - age_s * 1_000}-0") for age_s in (900, 600, -60)]
        assert await oldest_pending_s(redis, stream_name, GROUP) == 0
        await read_group(redis, stream_name, GROUP, "c", 3)
        for entry, least_s in zip(ids, (900, 600, 0), strict=True):
            assert least_s <= await oldest_pending_s(redis, stream_name, GROUP) < least_s + 60
            await redis.xack(stream_name, GROUP, entry)
        assert await oldest_pending_s(redis, stream_name, GROUP) == 0
