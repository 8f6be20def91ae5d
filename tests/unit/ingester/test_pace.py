"""The pace keeps its rate, in bursts when it is high, and makes up for a pause within bounds. No test waits."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingester.sources.pace import CATCH_UP_S, TICK_S, Pace


class FakeTime:
    """A clock that only sleeping moves, a little further than asked for, as a real one does."""

    def __init__(self, overshoot_s: float = 0.0) -> None:
        self.now_s = 1_000.0
        self.sleeps_s: list[float] = []
        self._overshoot_s = overshoot_s

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.sleeps_s.append(seconds)
        if seconds > 0:
            self.now_s += seconds + self._overshoot_s

    def pace(self, per_minute: float | None) -> Pace:
        return Pace(per_minute, clock=self.clock, sleep=self.sleep)


@given(
    per_minute=st.floats(min_value=1.0, max_value=6_000_000.0),
    overshoot_s=st.floats(min_value=0.0, max_value=0.003),
    work_s=st.floats(min_value=0.0, max_value=0.01),
)
def test_the_rate_holds_however_late_the_sleeps_and_slow_the_caller(
    per_minute: float, overshoot_s: float, work_s: float
) -> None:
    time = FakeTime(overshoot_s)

    async def consume() -> int:
        pace, taken = time.pace(per_minute), 0
        for _ in range(400):
            taken += await pace.due(100_000)
            time.now_s += work_s
        return taken

    taken = asyncio.run(consume())
    expected = (time.now_s - 1_000.0) * per_minute / 60.0
    burst = max(1.0, per_minute / 60.0 * (TICK_S + overshoot_s + work_s))
    assert abs(taken - expected) <= 2.0 * burst + 1.0


async def test_the_first_post_is_due_at_once_and_the_next_ones_one_by_one_at_a_low_rate() -> None:
    time = FakeTime()
    pace = time.pace(60.0)
    assert [await pace.due(500) for _ in range(4)] == [1, 1, 1, 1]
    assert time.now_s == pytest.approx(1_003.0)


async def test_high_rates_come_in_bursts_with_few_sleeps() -> None:
    time = FakeTime()
    pace = time.pace(6_000_000.0)
    taken = 0
    while taken < 100_000:
        taken += await pace.due(2_000)
    assert len(time.sleeps_s) <= 55


async def test_a_pause_is_made_up_for_within_the_bound_and_no_further() -> None:
    time = FakeTime()
    pace = time.pace(6_000.0)
    await pace.due(500)
    time.now_s += 3_600.0
    before_s, taken = time.now_s, 0
    while time.now_s == before_s:
        taken += await pace.due(500)
    assert 100 * CATCH_UP_S <= taken <= 100 * CATCH_UP_S + 10


async def test_no_more_than_the_limit_is_due() -> None:
    time = FakeTime()
    pace = time.pace(6_000_000.0)
    time.now_s += 60.0
    assert await pace.due(7) == 7


@pytest.mark.parametrize("per_minute", [None, 6_000_000.0])
async def test_a_pace_that_never_has_to_wait_still_lets_others_run(per_minute: float | None) -> None:
    time = FakeTime()
    pace = time.pace(per_minute)
    time.now_s += 1.0
    assert await pace.due(10) == 10
    assert time.sleeps_s == [0]


@pytest.mark.parametrize("per_minute", [0.0, -1.0, float("nan")])
def test_a_rate_that_is_none_is_refused(per_minute: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        Pace(per_minute)


@given(per_minute=st.floats(min_value=1.0, max_value=600_000.0), waits_s=st.lists(st.floats(0.0, 10.0), max_size=50))
def test_what_cannot_wait_gets_no_more_than_the_rate_and_never_more_than_it_has(
    per_minute: float, waits_s: list[float]
) -> None:
    time = FakeTime()
    pace = time.pace(per_minute)
    taken = 0
    for wait_s in waits_s:
        time.now_s += wait_s
        some = pace.take(1_000)
        assert 0 <= some <= 1_000
        taken += some
    assert taken <= 1 + sum(waits_s) * per_minute / 60.0 + 1e-3
    assert time.sleeps_s == []
    assert Pace(None).take(7) == 7
