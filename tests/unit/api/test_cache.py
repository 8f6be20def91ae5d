"""Many who ask at once cost one computation; a failure is nobody's answer but theirs who waited for it."""

import asyncio

import pytest

from services.api.cache import TtlCache


class Work:
    def __init__(self) -> None:
        self.runs = 0
        self.may_end = asyncio.Event()

    async def __call__(self) -> int:
        self.runs += 1
        await self.may_end.wait()
        return self.runs


async def test_who_asks_meanwhile_waits_for_the_same_answer() -> None:
    cache, work = TtlCache[int](60), Work()
    asking = [asyncio.create_task(cache.get("key", work)) for _ in range(5)]
    await asyncio.sleep(0)
    work.may_end.set()
    assert [entry.value for entry, _ in await asyncio.gather(*asking)] == [1] * 5
    entry, hit = await cache.get("key", work)
    assert (entry.value, hit) == (1, True)


async def test_who_leaves_takes_the_answer_from_nobody() -> None:
    cache, work = TtlCache[int](60), Work()
    leaving, staying = (asyncio.create_task(cache.get("key", work)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    work.may_end.set()
    assert (await staying)[0].value == 1


async def test_another_key_has_an_answer_of_its_own() -> None:
    cache, work = TtlCache[int](60), Work()
    work.may_end.set()
    assert [(await cache.get(key, work))[0].value for key in ("a", "b", "a")] == [1, 2, 1]


async def test_an_old_answer_is_renewed() -> None:
    cache, work = TtlCache[int](0.01), Work()
    work.may_end.set()
    async with asyncio.timeout(5):
        while (await cache.get("key", work))[0].value < 3:
            await asyncio.sleep(0.005)


async def test_a_costly_answer_is_kept_longer() -> None:
    cache = TtlCache[None](0.0)

    async def costly() -> None:
        await asyncio.sleep(0.1)

    await cache.get("key", costly)
    assert (await cache.get("key", costly))[1]


async def test_a_failure_is_not_kept() -> None:
    cache = TtlCache[int](60)

    async def fail() -> int:
        raise LookupError

    async def succeed() -> int:
        return 1

    with pytest.raises(LookupError):
        await cache.get("key", fail)
    assert (await cache.get("key", succeed))[0].value == 1


async def test_at_the_limit_the_oldest_entry_goes() -> None:
    cache, work = TtlCache[int](60, max_entries=2), Work()
    work.may_end.set()
    for key in ("a", "b", "c"):
        await cache.get(key, work)
    assert [(await cache.get(key, work))[1] for key in ("c", "b", "a")] == [True, True, False]
