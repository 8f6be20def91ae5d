"""So many a minute, never more at once, and never more memory than for so many callers."""

import pytest

from services.api.access import token_buckets
from services.api.access.token_buckets import TokenBuckets


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_worth_may_be_taken_at_once_and_then_one_by_one() -> None:
    clock = Clock()
    buckets = TokenBuckets(60, clock=clock)
    assert [buckets.take("a") for _ in range(60)] == [0.0] * 60
    assert buckets.take("a") == pytest.approx(1.0)
    clock.now += 0.5
    assert buckets.take("a") == pytest.approx(0.5)
    clock.now += 0.5
    assert buckets.take("a") == 0.0
    clock.now += 3_600
    assert [bool(buckets.take("a")) for _ in range(61)] == [False] * 60 + [True]


def test_nobody_takes_of_another() -> None:
    buckets = TokenBuckets(1, clock=Clock())
    assert buckets.take("a") == 0.0
    assert buckets.take("b") == 0.0
    assert buckets.take("a") > 0


def test_without_a_limit_nothing_is_kept() -> None:
    buckets = TokenBuckets(0)
    assert {buckets.take(str(number)) for number in range(100)} == {0.0}
    assert len(buckets) == 0


def test_of_too_many_callers_the_one_not_seen_for_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_buckets, "MAX_CALLERS", 3)
    buckets = TokenBuckets(1, clock=Clock())
    for caller in ("a", "b", "c"):
        buckets.take(caller)
    assert buckets.take("a") > 0  # seen again, and refused
    buckets.take("d")
    assert len(buckets) == 3
    assert buckets.take("a") > 0
    assert buckets.take("b") == 0.0  # forgotten: as new
