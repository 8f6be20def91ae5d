"""Many who ask at once cost one computation; a failure is nobody's answer but theirs who waited for it."""

import asyncio

import pytest

from services.api import cache as cache_module
from services.api.cache import TtlCache
from services.common.errors import Transient
from tests.waiting import eventually


class Work:
    def __init__(self) -> None:
        self.runs = 0
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()

    async def __call__(self) -> int:
        self.runs += 1
        self.has_begun.set()
        await self.may_end.wait()
        return self.runs


async def test_who_asks_meanwhile_waits_for_the_same_answer() -> None:
    cache, work = TtlCache[int](60), Work()
    asking = [asyncio.create_task(cache.get("key", work)) for _ in range(5)]
    await asyncio.sleep(0)
    work.may_end.set()
    assert [cached.value for cached in await asyncio.gather(*asking)] == [1] * 5
    cached = await cache.get("key", work)
    assert (cached.value, cached.hit, cached.stale) == (1, True, False)


async def test_who_leaves_takes_the_answer_from_nobody() -> None:
    cache, work = TtlCache[int](60), Work()
    leaving, staying = (asyncio.create_task(cache.get("key", work)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    work.may_end.set()
    assert (await staying).value == 1


async def test_another_key_has_an_answer_of_its_own() -> None:
    cache, work = TtlCache[int](60), Work()
    work.may_end.set()
    assert [(await cache.get(key, work)).value for key in ("a", "b", "a")] == [1, 2, 1]


async def test_an_old_answer_is_renewed() -> None:
    cache, work = TtlCache[int](0.01), Work()
    work.may_end.set()
    async with asyncio.timeout(5):
        while (await cache.get("key", work)).value < 3:
            await asyncio.sleep(0.005)


async def test_a_costly_answer_is_kept_longer() -> None:
    cache = TtlCache[None](0.0)

    async def costly() -> None:
        await asyncio.sleep(0.1)

    await cache.get("key", costly)
    assert (await cache.get("key", costly)).hit


async def test_a_failure_is_not_kept() -> None:
    cache = TtlCache[int](60)

    async def fail() -> int:
        raise LookupError

    async def succeed() -> int:
        return 1

    with pytest.raises(LookupError):
        await cache.get("key", fail)
    assert (await cache.get("key", succeed)).value == 1


async def test_at_the_limit_the_oldest_entry_goes() -> None:
    cache, work = TtlCache[int](60, max_entries=2), Work()
    work.may_end.set()
    for key in ("a", "b", "c"):
        await cache.get(key, work)
    assert [(await cache.get(key, work)).hit for key in ("c", "b", "a")] == [True, True, False]


class Dependency:
    """What is computed from; it may be away."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.asked


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Dependency:
    """It has answered once, and is away now; nobody pauses after a failure."""
    monkeypatch.setattr(cache_module, "PAUSE_S", 0.0)
    return Dependency()


async def test_while_what_it_is_computed_from_is_away_the_old_answer_is_given_and_says_so(away: Dependency) -> None:
    cache = TtlCache[int](0.0, max_kept_s=0.0, max_stale_s=60)
    assert not (await cache.get("key", away)).stale
    away.error = Transient("away")
    for _ in range(3):
        cached = await cache.get("key", away)
        assert (cached.value, cached.hit, cached.stale) == (1, True, True)
    away.error = None
    cached = await cache.get("key", away)
    assert (cached.value, cached.hit, cached.stale) == (5, False, False)


async def test_an_answer_that_is_too_old_is_none(away: Dependency) -> None:
    cache = TtlCache[int](0.0, max_kept_s=0.0, max_stale_s=0.05)
    await cache.get("key", away)
    away.error = Transient("away")

    async def is_refused() -> bool:
        try:
            return not (await cache.get("key", away)).stale
        except Transient:
            return True

    assert not await is_refused()
    await eventually(is_refused, "no answer any more")


@pytest.mark.parametrize(
    ("max_stale_s", "key", "error", "seen"),
    [
        (0.0, "key", Transient("away"), Transient),
        (60.0, "another", Transient("away"), Transient),
        (60.0, "key", LookupError(), LookupError),
    ],
)
async def test_the_old_answer_is_for_its_own_key_an_absence_and_a_cache_that_allows_it(
    away: Dependency, max_stale_s: float, key: str, error: Exception, seen: type[Exception]
) -> None:
    cache = TtlCache[int](0.0, max_kept_s=0.0, max_stale_s=max_stale_s)
    await cache.get("key", away)
    away.error = error
    with pytest.raises(seen):
        await cache.get(key, away)


async def test_after_a_failure_nobody_waits_for_the_next_one_for_a_while() -> None:
    cache, dependency = TtlCache[int](0.0, max_kept_s=0.0, max_stale_s=60), Dependency()
    await cache.get("key", dependency)
    dependency.error = Transient("away")
    for _ in range(5):
        assert (await cache.get("key", dependency)).stale
    assert dependency.asked == 2


async def test_who_waits_for_the_same_failure_gets_the_same_old_answer() -> None:
    cache, work = TtlCache[int](0.0, max_kept_s=0.0, max_stale_s=60), Work()
    work.may_end.set()
    await cache.get("key", work)
    work.may_end.clear()

    async def fail() -> int:
        await work.may_end.wait()
        raise Transient("away")

    asking = [asyncio.create_task(cache.get("key", fail)) for _ in range(5)]
    await asyncio.sleep(0)
    work.may_end.set()
    assert [(cached.value, cached.stale) for cached in await asyncio.gather(*asking)] == [(1, True)] * 5


async def test_what_is_cleared_is_computed_anew_also_if_it_was_being_computed() -> None:
    cache, before, after = TtlCache[str](60, max_stale_s=60), Work(), Work()

    async def old() -> str:
        return f"old {await before()}"

    async def new() -> str:
        return f"new {await after()}"

    first = asyncio.create_task(cache.get("key", old))
    await before.has_begun.wait()
    cache.clear()
    second = asyncio.create_task(cache.get("key", new))
    await after.has_begun.wait()
    after.may_end.set()
    assert (await second).value == "new 1"
    before.may_end.set()
    assert (await first).value == "old 1"
    assert (await cache.get("key", old)).value == "new 1"
    cache.clear()
    assert (await cache.get("key", old)).value == "old 2"
