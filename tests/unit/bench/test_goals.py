"""Goals beside figures."""

from typing import Any

from bench.goals import GOALS, NOT_MEASURED, Goal, goals_table
from bench.sections import SECTIONS


def test_a_goal_is_reached_from_its_bound_on() -> None:
    most = Goal("latency", "p99", 150.0, lambda r: float(r["p99"]), at_most=True, unit=" ms")
    assert most.row({"p99": 150.0}) == ["p99", "at most 150 ms", "150 ms", "yes"]
    assert most.row({"p99": 151.0})[-1] == "no"
    least = Goal("pipeline", "rate", 10.0, lambda r: float(r["rate"]))
    assert least.row({"rate": 10.0})[-1] == "yes"
    assert least.row({"rate": 9.9})[-1] == "no"


def test_what_was_not_measured_is_not_reached() -> None:
    assert all(goal.row(None)[2:] == [NOT_MEASURED, ""] for goal in GOALS)
    assert all(goal.row({"shapes": {"cells": []}, "loads": []})[2:] == [NOT_MEASURED, ""] for goal in GOALS)


def test_every_goal_finds_its_figure_where_its_measurement_leaves_it() -> None:
    def median(value: float) -> dict[str, float]:
        return {"median": value}

    results: dict[str, Any] = {
        "inference": {
            "shapes": {
                "cells": [{"length": 32, "rows": 64, "to_same_runtime": median(0.97), "to_best_rival": median(1.1)}]
            },
            "mix": {"ratio": {"torch bf16, batch 32": median(1.7), "torch bf16, batch 64": median(1.6)}},
        },
        "pipeline": {
            "full": {"ratio": {"usual design": median(11.0)}},
            "starter": {"ratio": {"both models alone": median(0.9)}},
            "tiny": {"posts_per_s": {"Undertone": median(6_500.0)}},
        },
        "latency": {"loads": [{"share": 0.5, "latency_s": {"p99": 0.12}}, {"share": 0.8, "latency_s": {"p99": 0.9}}]},
        "queries": {
            "sizes": {
                "10000": {"posts": {"p95_ms": 4.0}, "search": {"p95_ms": 10.0}},
                "1000000": {"posts": {"p95_ms": 7.0}, "search": {"p95_ms": 12.0}},
            }
        },
        "soak": {"growth": {"worker": {"growth": 0.005}, "api": {"growth": 0.03}}},
    }
    assert set(results) <= set(SECTIONS)
    rows = [goal.row(results[goal.section]) for goal in GOALS]
    assert [row[-1] for row in rows] == ["yes"] * 10 + ["no"]
    assert "1.6" in goals_table(results)
