"""Texts have their turn in order, as many as may at once; who gives up takes no place along."""

import asyncio

import pytest

from services.api.asking.turns import Turns
from services.api.metrics import ApiMetrics
from services.api.web.admission import Busy


def make(texts: int, *, waiting: int = 8, wait_s: float = 60.0) -> tuple[Turns, ApiMetrics]:
    metrics = ApiMetrics()
    return Turns(metrics.inference, texts_at_work=texts, waiting=waiting, wait_s=wait_s), metrics


def sample(metrics: ApiMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"undertone_inference_{name}", labels)


async def turn() -> None:
    """Lets everything happen that can happen now."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_large_batch_waits_for_its_room_and_small_ones_behind_it_do_not_overtake() -> None:
    turns, metrics = make(4)
    served: list[int] = []

    async def come(texts: int) -> None:
        await turns.take(texts)
        served.append(texts)

    await turns.take(2)
    tasks = [asyncio.create_task(come(texts)) for texts in (3, 1, 1)]
    await turn()
    assert (served, sample(metrics, "requests_waiting"), sample(metrics, "texts_at_work")) == ([], 3, 2)
    turns.give_back(2)
    await turn()
    assert (served, sample(metrics, "texts_at_work")) == ([3, 1], 4)
    turns.give_back(3)
    await asyncio.gather(*tasks)
    assert (sample(metrics, "requests_waiting"), sample(metrics, "texts_at_work")) == (0, 2)


async def test_more_than_all_have_their_turn_alone() -> None:
    turns, metrics = make(4)
    assert await turns.take(9) == 4
    assert sample(metrics, "texts_at_work") == 4
    turns.give_back(4)
    assert sample(metrics, "texts_at_work") == 0


async def test_who_finds_the_queue_full_or_waits_too_long_hears_so() -> None:
    turns, metrics = make(1, waiting=1, wait_s=0.01)
    await turns.take(1)
    first = asyncio.create_task(turns.take(1))
    await turn()
    with pytest.raises(Busy, match="full"):
        await turns.take(1)
    with pytest.raises(Busy, match="waited"):
        await first
    assert [sample(metrics, "requests_refused_total", reason=reason) for reason in ("full", "waited")] == [1, 1]
    assert sample(metrics, "requests_waiting") == 0
    turns.give_back(1)
    assert await turns.take(1) == 1


async def test_the_place_of_who_leaves_is_the_next_ones() -> None:
    turns, _ = make(4)
    await turns.take(3)
    large, small = asyncio.create_task(turns.take(4)), asyncio.create_task(turns.take(1))
    await turn()
    large.cancel()
    assert await small == 1


@pytest.mark.parametrize("moments", range(6))
async def test_a_turn_that_comes_in_the_moment_of_leaving_is_handed_on(moments: int) -> None:
    turns, metrics = make(1)
    await turns.take(1)
    leaving = asyncio.create_task(turns.take(1))
    await turn()
    turns.give_back(1)
    for _ in range(moments):
        await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    if not leaving.cancelled():
        turns.give_back(leaving.result())
    assert await turns.take(1) == 1
    assert sample(metrics, "texts_at_work") == 1
