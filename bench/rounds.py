"""Alternatives in turns: what disturbs the machine for a minute disturbs all of them."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict


class Summary(TypedDict):
    median: float
    low: float
    high: float
    rounds: int


def interleave(alternatives: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each alternative measured, once a round; every round begins with another one."""
    found: dict[str, list[float]] = {name: [] for name in alternatives}
    names = list(alternatives)
    for number in range(rounds):
        shift = number % len(names) if names else 0
        for name in names[shift:] + names[:shift]:
            found[name].append(alternatives[name]())
    return found


def summary(values: Sequence[float]) -> Summary:
    """Median, lowest and highest of the rounds."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "rounds": len(values)}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Summary:
    """Ours over theirs, compared within each round, because what slowed one of a round slowed the other."""
    return summary([a / b for a, b in zip(ours, theirs, strict=True)])


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed; NaN where there are none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """What is told of latencies."""
    named = {f"p{percent}": percentile(values, percent) for percent in (50, 95, 99)}
    return {**named, "max": max(values, default=math.nan), "count": len(values)}
