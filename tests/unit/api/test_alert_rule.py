"""An alert fires on a clear majority of enough posts, ends clearly below it, and does not flap."""

from datetime import UTC, datetime, timedelta

import pytest

from services.api.alert_rule import Decision, Rule, Window

RULE = Rule(threshold=0.5, window_minutes=5, min_posts=10)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def window(negative: int, total: int) -> Window:
    return Window(matching=negative, total=total, start=NOW - timedelta(minutes=5), end=NOW)


@pytest.mark.parametrize(
    ("negative", "total", "fires"),
    [(6, 10, True), (51, 100, True), (5, 10, False), (50, 100, False), (9, 9, False), (10, 10, True), (0, 0, False)],
)
def test_it_fires_above_the_threshold_on_enough_posts(negative: int, total: int, fires: bool) -> None:
    decision = RULE.decide(window(negative, total), raised=False, cooling=False)
    assert decision is (Decision.RAISE if fires else Decision.NOTHING)


def test_a_raised_alert_does_not_fire_again() -> None:
    assert RULE.decide(window(100, 100), raised=True, cooling=False) is Decision.NOTHING


def test_it_does_not_fire_while_it_cools_down() -> None:
    assert RULE.decide(window(100, 100), raised=False, cooling=True) is Decision.NOTHING


@pytest.mark.parametrize(
    ("negative", "total", "ends"),
    [(50, 100, False), (46, 100, False), (45, 100, False), (44, 100, True), (9, 9, True), (0, 0, True)],
)
def test_it_ends_clearly_below_the_threshold_or_on_too_few_posts(negative: int, total: int, ends: bool) -> None:
    decision = RULE.decide(window(negative, total), raised=True, cooling=False)
    assert decision is (Decision.RESOLVE if ends else Decision.NOTHING)


@pytest.mark.parametrize("threshold", [0.01, 0.05, 0.5, 0.99])
def test_whatever_the_threshold_an_alert_can_end_and_not_where_it_fires(threshold: float) -> None:
    rule = Rule(threshold=threshold, window_minutes=5, min_posts=10)
    assert 0 < rule.resolve_below < threshold


def test_the_details_say_what_the_decision_was_made_of() -> None:
    assert RULE.details(window(2, 3)) == {
        "negative": 2,
        "total": 3,
        "ratio": 0.6667,
        "window_minutes": 5,
        "min_posts": 10,
    }
