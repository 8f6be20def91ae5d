"""A letter is buried once, together with the acknowledgement of its entry, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from redis.asyncio import Redis

from services.common.dead_letters import Burial, DeadLetter, DeadLetters, bury
from services.common.dead_letters.reading import count
from services.common.errors import Transient
from services.common.streams import dead_letter_stream, ensure_group, group_state, open_redis
from services.worker.consumer import Consumer, Entry
from services.worker.pipeline import Batch, Pipeline, Stored
from tests.embedded import running_redis
from tests.redis_reads import entries, entry_ids, read_group

GROUP = "workers"
BAD = {b"post_id": b"1", b"source": b"x", b"author": b"ada"}


@pytest.fixture
async def redis(redis_url: str, stream_name: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client:
        await ensure_group(client, stream_name, GROUP)
        yield client


def letter(stream_id: str = "", fields: Mapping[bytes, bytes] = BAD, reason: str = "missing_field") -> DeadLetter:
    return DeadLetter(stream_id, fields, reason, "content is missing")


async def given(redis: Redis, stream: str, many: Sequence[Mapping[bytes, bytes]] = (BAD,)) -> list[DeadLetter]:
    """Entries that a worker was given, as the letters that it would bury."""
    for fields in many:
        record: dict[Any, Any] = dict(fields)
        await redis.xadd(stream, record)
    ids = await read_group(redis, stream, GROUP, "worker", len(many))
    return [letter(stream_id.decode(), fields) for stream_id, fields in zip(ids, many, strict=True)]


async def dead(redis: Redis, stream: str) -> list[dict[bytes, bytes]]:
    return await entries(redis, dead_letter_stream(stream))


async def consistent(redis: Redis, stream: str) -> bool:
    """Whether index and numbers say what lies in the stream."""
    name = dead_letter_stream(stream)
    answer: Any = await redis.xrange(name)
    by_reason: dict[bytes, int] = {}
    for _, fields in answer:
        by_reason[fields[b"reason"]] = by_reason.get(fields[b"reason"], 0) + 1
    index: Any = await redis.hgetall(f"{name}:index")
    reasons: Any = await redis.hgetall(f"{name}:reasons")
    return index == {fields[b"digest"]: entry for entry, fields in answer} and by_reason == {
        reason: int(number) for reason, number in reasons.items()
    }


async def test_a_letter_keeps_what_was_refused_and_its_entry_is_acknowledged(redis: Redis, stream_name: str) -> None:
    letters = await given(redis, stream_name)
    assert await bury(redis, stream_name, letters, GROUP) == Burial(added=1)
    (found,) = await dead(redis, stream_name)
    assert {name: found[name] for name in BAD} == BAD
    assert (found[b"reason"], found[b"error"]) == (b"missing_field", b"content is missing")
    assert found[b"stream_id"].decode() == letters[0].stream_id
    assert (await group_state(redis, stream_name, GROUP)).pending == 0
    assert await consistent(redis, stream_name)


async def test_what_is_buried_again_after_a_lost_answer_stays_one_letter(redis: Redis, stream_name: str) -> None:
    letters = await given(redis, stream_name, [BAD, {**BAD, b"post_id": b"2"}])
    await bury(redis, stream_name, letters, GROUP)
    assert await bury(redis, stream_name, letters, GROUP) == Burial(not_pending=2)
    assert len(await dead(redis, stream_name)) == 2


async def test_two_workers_that_bury_the_same_entry_at_once_bury_one_letter(redis: Redis, stream_name: str) -> None:
    letters = await given(redis, stream_name, [{**BAD, b"post_id": b"%d" % n} for n in range(120)])
    await redis.xautoclaim(stream_name, GROUP, "another", min_idle_time=0, count=200)
    burials = await asyncio.gather(*(bury(redis, stream_name, letters, GROUP) for _ in range(4)))
    assert sum(burial.added for burial in burials) == 120
    assert len(await dead(redis, stream_name)) == 120
    assert (await group_state(redis, stream_name, GROUP)).pending == 0
    assert await consistent(redis, stream_name)


async def test_an_entry_that_another_worker_finished_is_not_buried(redis: Redis, stream_name: str) -> None:
    letters = await given(redis, stream_name)
    await redis.xack(stream_name, GROUP, letters[0].stream_id)
    assert await bury(redis, stream_name, letters, GROUP) == Burial(not_pending=1)
    assert await dead(redis, stream_name) == []


async def test_a_refused_post_that_is_published_again_is_the_same_letter(redis: Redis, stream_name: str) -> None:
    await bury(redis, stream_name, await given(redis, stream_name), GROUP)
    assert await bury(redis, stream_name, await given(redis, stream_name), GROUP) == Burial(known=1)
    assert len(await dead(redis, stream_name)) == 1
    assert (await group_state(redis, stream_name, GROUP)).pending == 0


async def test_letters_that_were_never_in_the_stream_are_told_apart_by_what_they_say(
    redis: Redis, stream_name: str
) -> None:
    several = [letter(), letter(reason="empty_field"), letter(fields={**BAD, b"author": b"bo"}), letter()]
    assert await bury(redis, stream_name, several, GROUP) == Burial(added=3, known=1)
    assert await bury(redis, stream_name, several, GROUP) == Burial(known=4)
    assert await consistent(redis, stream_name)


async def test_beyond_the_limit_the_oldest_go_with_all_that_is_known_of_them(redis: Redis, stream_name: str) -> None:
    many = [letter(fields={b"line": b"%d" % n}, reason=f"r{n % 3}") for n in range(12)]
    assert await bury(redis, stream_name, many, GROUP, limit=5) == Burial(added=12, removed=7)
    assert [fields[b"line"] for fields in await dead(redis, stream_name)] == [b"7", b"8", b"9", b"10", b"11"]
    assert await consistent(redis, stream_name)
    # The first is forgotten, and may come again.
    assert await bury(redis, stream_name, many[:1], GROUP, limit=5) == Burial(added=1, removed=1)


async def test_without_the_group_nothing_is_buried_and_the_entry_comes_again(redis: Redis, stream_name: str) -> None:
    letters = await given(redis, stream_name)
    await redis.xgroup_destroy(stream_name, GROUP)
    assert await bury(redis, stream_name, letters, GROUP) == Burial(not_pending=1)
    assert await dead(redis, stream_name) == []
    await ensure_group(redis, stream_name, GROUP)
    again = await read_group(redis, stream_name, GROUP, "worker", 10)
    assert [stream_id.decode() for stream_id in again] == [letters[0].stream_id]
    assert await bury(redis, stream_name, letters, GROUP) == Burial(added=1)


async def test_letters_of_earlier_versions_are_counted_and_make_room(redis: Redis, stream_name: str) -> None:
    for n in range(250):
        await redis.xadd(dead_letter_stream(stream_name), {"line": n, "reason": f"r{n % 2}", "dead_at": "1.0"})
    await bury(redis, stream_name, [letter(reason="r1")], GROUP, limit=201)
    reasons: Any = await redis.hgetall(f"{dead_letter_stream(stream_name)}:reasons")
    assert reasons == {b"r0": b"100", b"r1": b"101"}


async def test_the_numbers_are_right_again_after_letters_were_deleted_by_hand(redis: Redis, stream_name: str) -> None:
    await bury(redis, stream_name, [letter(fields={b"line": b"%d" % n}) for n in range(9)], GROUP)
    name = dead_letter_stream(stream_name)
    await redis.xdel(name, *(await entry_ids(redis, name))[:4])
    assert await bury(redis, stream_name, [letter(fields={b"line": b"0"})], GROUP) == Burial(added=1)
    reasons: Any = await redis.hgetall(f"{name}:reasons")
    assert reasons == {b"missing_field": b"6"}
    await redis.delete(name)
    assert (await count(redis, stream_name)).total == 0
    assert await bury(redis, stream_name, [letter(fields={b"line": b"0"})], GROUP) == Burial(added=1)
    assert await consistent(redis, stream_name)


async def test_a_full_redis_refuses_the_letter_and_leaves_its_entry_pending(tmp_path: Path, stream_name: str) -> None:
    with running_redis(tmp_path) as url:
        async with open_redis(url) as redis:
            await ensure_group(redis, stream_name, GROUP)
            letters = await given(redis, stream_name)
            await redis.config_set("maxmemory", 1)
            with pytest.raises(Transient, match="refuses for now"):
                await bury(redis, stream_name, letters, GROUP)
            await redis.config_set("maxmemory", 0)
            assert await dead(redis, stream_name) == []
            assert (await group_state(redis, stream_name, GROUP)).pending == 1
            assert await bury(redis, stream_name, letters, GROUP) == Burial(added=1)


async def test_letters_survive_a_restart_of_redis_and_are_still_known(tmp_path: Path, stream_name: str) -> None:
    for expected in (Burial(added=1), Burial(known=1)):
        with running_redis(tmp_path) as url:
            async with open_redis(url) as redis:
                assert await bury(redis, stream_name, [letter()], GROUP) == expected


async def test_a_redis_that_is_away_is_transient(stream_name: str) -> None:
    async with open_redis("redis://127.0.0.1:1/0") as redis:
        with pytest.raises(Transient):
            await bury(redis, stream_name, [letter()], GROUP)


async def test_a_refused_entry_is_acknowledged_by_its_burial_and_by_nothing_else(
    redis: Redis, stream_name: str
) -> None:
    """The group is lost at the burial and made again right after: an acknowledgement would now lose the post."""
    nobody: Any = None
    consumer = Consumer(redis, stream_name, GROUP, count=10, block_ms=10, claim_idle_ms=60_000)
    pipeline = Pipeline(consumer, nobody, nobody, DeadLetters(redis, [stream_name]), triton=nobody, postgres=nobody)
    (refused,) = await given(redis, stream_name)
    refused = replace(refused, stream=stream_name)
    entry = Entry(refused.stream_id, refused.fields, stream=stream_name)
    await redis.xgroup_destroy(stream_name, GROUP)

    acknowledge = consumer.acknowledge

    async def after_another_has_read(done: Sequence[Entry], announcement: bytes | None = None) -> None:
        await ensure_group(redis, stream_name, GROUP)
        await read_group(redis, stream_name, GROUP, "another", 10)
        await acknowledge(done, announcement)

    with mock.patch.object(consumer, "acknowledge", after_another_has_read):
        await pipeline.acknowledge(Batch([entry], letters=[refused]), Stored([], 0))
    assert await dead(redis, stream_name) == []
    assert (await group_state(redis, stream_name, GROUP)).pending == 1
