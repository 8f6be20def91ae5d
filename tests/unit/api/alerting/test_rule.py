"""An alert fires on a clear majority of enough posts, ends clearly below it, and does not flap."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.alerting.rule import Decision, Rule, Window

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


def added(**change: Any) -> Rule:
    values: dict[str, Any] = {"id": 3, "name": "x"} | change
    return replace(RULE, **values)


def test_the_rule_of_the_settings_keeps_the_type_of_the_contract_and_every_other_has_its_own() -> None:
    types = {RULE.alert_type, added().alert_type, added(id=4).alert_type, added(id=5, kind="volume").alert_type}
    assert RULE.alert_type == "high_negative_ratio"
    assert len(types) == 4
    assert max(map(len, {added(id=2**63 - 1, kind="sentiment_ratio").alert_type})) <= 50


@pytest.mark.parametrize(
    ("total", "raised", "decision"),
    [
        (100, False, Decision.NOTHING),
        (101, False, Decision.RAISE),
        (101, True, Decision.NOTHING),
        (90, True, Decision.NOTHING),
        (89, True, Decision.RESOLVE),
        (0, True, Decision.RESOLVE),
    ],
)
def test_a_volume_fires_above_its_threshold_and_ends_a_tenth_below_whatever_min_posts(
    total: int, raised: bool, decision: Decision
) -> None:
    rule = added(kind="volume", threshold=100.0, min_posts=1_000)
    assert rule.decide(window(total, total), raised=raised, cooling=False) is decision


@pytest.mark.parametrize(
    ("rule", "sentiment", "emotion", "matches"),
    [
        (RULE, "negative", "joy", True),
        (RULE, "positive", "anger", False),
        (added(sentiment="positive"), "positive", "", True),
        (added(kind="emotion_ratio", emotion="Anger"), "positive", "anger", True),
        (added(kind="emotion_ratio", emotion="anger"), "negative", "", False),
        (added(kind="volume"), "neutral", "", True),
    ],
)
def test_what_a_rule_looks_for(rule: Rule, sentiment: str, emotion: str, matches: bool) -> None:
    assert rule.looks_for(sentiment, emotion) is matches


@given(
    st.sampled_from(["sentiment_ratio", "volume"]),
    st.integers(0, 200),
    st.integers(0, 200),
    st.floats(0.01, 0.99),
    st.booleans(),
)
def test_no_window_both_raises_and_resolves(
    kind: Any, matching: int, others: int, threshold: float, cooling: bool
) -> None:
    """So an alert cannot flap on one and the same window."""
    rule = added(kind=kind, threshold=threshold * (100 if kind == "volume" else 1))
    seen = window(matching, matching + others)
    decisions = {rule.decide(seen, raised=state, cooling=cooling) for state in (True, False)}
    assert decisions != {Decision.RAISE, Decision.RESOLVE}
