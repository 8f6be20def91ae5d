"""What a source says of itself: how many posts a second it gave lately. No test waits."""

import pytest

from services.ingester.sources.health import RATE_WINDOW_S, Health

BEGAN_S = 1_000.0


class FakeTime:
    def __init__(self) -> None:
        self.now_s = BEGAN_S

    def clock(self) -> float:
        return self.now_s


def per_s(published: dict[float, int], now_s: float) -> float:
    """What is told `now_s` seconds after the start; `published`: when, after the start, and how many."""
    time = FakeTime()
    health = Health("test", clock=time.clock)
    for at_s, count in published.items():
        time.now_s = BEGAN_S + at_s
        health.published(count)
    time.now_s = BEGAN_S + now_s
    return health.state().posts_per_s


@pytest.mark.parametrize(
    ("published", "now_s", "expected"),
    [
        ({}, 5, 0.0),
        ({0.1: 30, 0.9: 20}, 1, 5.0),
        # The present second has only begun.
        ({0.5: 30, 1.5: 70}, 1.9, 3.0),
        ({0.5: 30}, RATE_WINDOW_S, 3.0),
        ({0.5: 30}, RATE_WINDOW_S + 1, 0.0),
        ({0.5: 30, 200.5: 10}, 201, 1.0),
        ({0.5: 0}, 1, 0.0),
    ],
)
def test_the_rate_is_the_mean_of_the_last_whole_seconds(
    published: dict[float, int], now_s: float, expected: float
) -> None:
    assert per_s(published, now_s) == expected


def test_a_steady_source_has_its_rate_in_every_moment() -> None:
    time = FakeTime()
    health = Health("test", clock=time.clock)
    for tick in range(1_000):
        time.now_s = BEGAN_S + tick / 10
        health.published(25)
        if tick >= RATE_WINDOW_S * 10:
            assert health.state().posts_per_s == 250
    assert health.state().posts == 25_000
