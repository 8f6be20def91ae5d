"""A preview decides as the rule itself would, minute after minute."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.api.alerting.preview import simulate
from services.api.alerting.rule import Decision, Rule, Window
from services.api.queries.alert_series import Bucket
from services.common.moments import MINUTE

RULE = Rule(threshold=0.5, window_minutes=5, min_posts=10, id=1, name="x")
START = datetime(2026, 1, 1, tzinfo=UTC)


def minutes(*counts: tuple[int, int]) -> list[Bucket]:
    return [Bucket(START + number * MINUTE, *count) for number, count in enumerate(counts)]


def test_quiet_hours_raise_nothing() -> None:
    found = simulate(RULE, minutes(*[(1, 10)] * 60))
    assert found.raised == 0
    assert {w.ratio for w in found.windows} == {0.1}


def test_one_peak_is_one_alert_and_the_series_has_its_height() -> None:
    found = simulate(RULE, minutes(*[(1, 10)] * 20, *[(10, 10)] * 10, *[(1, 10)] * 30))
    assert found.raised == 1
    assert max(w.ratio for w in found.windows) == 1.0


def test_after_an_alert_it_rests_for_a_window() -> None:
    """A peak that comes and goes within the cool-down is none; the same peak a little later is a second alert."""
    first, again = [(0, 50)] * 5 + [(50, 50)] * 5, [(300, 300)] + [(0, 300)] * 10
    assert simulate(RULE, minutes(*first, *[(0, 50)] * 3, *again)).raised == 1
    assert simulate(RULE, minutes(*first, *[(0, 50)] * 20, *again)).raised == 2


@pytest.mark.parametrize("seed", range(20))
def test_it_decides_as_one_who_looks_at_every_window_by_itself(seed: int) -> None:
    chance = random.Random(seed)
    counts = [(n, n + chance.randrange(10)) for n in (chance.randrange(10) for _ in range(120))]
    rule = replace(RULE, window_minutes=chance.randrange(1, 10), threshold=chance.choice((0.4, 0.5, 0.6)), min_posts=5)
    raised, is_raised, cools_until = 0, False, START
    for last in range(rule.window_minutes, len(counts) + 1):
        inside = counts[last - rule.window_minutes : last]
        end = START + last * MINUTE
        seen = Window(sum(m for m, _ in inside), sum(t for _, t in inside), end - rule.window, end)
        decision = rule.decide(seen, raised=is_raised, cooling=end < cools_until)
        if decision is Decision.RAISE:
            raised, is_raised = raised + 1, True
        elif decision is Decision.RESOLVE:
            is_raised, cools_until = False, end + timedelta(minutes=rule.window_minutes)
    assert simulate(rule, minutes(*counts)).raised == raised


def test_a_day_has_a_point_for_every_five_minutes() -> None:
    day = minutes(*[(1, 10)] * (1_440 + RULE.window_minutes - 1))
    assert len(simulate(RULE, day).windows) in (288, 289)
