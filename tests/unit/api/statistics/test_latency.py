"""Percentiles of any number of latencies, from a bounded structure, within the error that it promises."""

import math

from hypothesis import given
from hypothesis import strategies as st

from services.api.statistics.latency import MAX_MS, MIN_MS, RELATIVE_ERROR, Latencies, merged

SHARES = (0.0, 0.5, 0.95, 0.99, 1.0)
latencies = st.lists(st.floats(MIN_MS, MAX_MS), min_size=1, max_size=300)


def of(values: list[float]) -> Latencies:
    made = Latencies()
    for value in values:
        made.add(value)
    return made


def exact(values: list[float], share: float) -> float:
    """By nearest rank."""
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


@given(latencies, st.sampled_from(SHARES))
def test_a_quantile_is_that_of_the_posts_within_two_per_cent(values: list[float], share: float) -> None:
    found = of(values).quantile_ms(share)
    assert found is not None
    assert math.isclose(found, exact(values, share), rel_tol=RELATIVE_ERROR * (1 + 1e-9))


@given(latencies, latencies)
def test_merged_they_are_as_if_they_had_been_one(ours: list[float], theirs: list[float]) -> None:
    together, apart = of(ours + theirs), merged([of(ours), of(theirs)])
    assert together.count == apart.count
    assert [together.quantile_ms(share) for share in SHARES] == [apart.quantile_ms(share) for share in SHARES]


def test_without_posts_there_is_no_quantile() -> None:
    assert (Latencies().quantile_ms(0.5), merged([]).count) == (None, 0)


def test_its_size_is_bounded_whatever_comes() -> None:
    made = of([1.0001**step for step in range(-1_000, 300_000)])
    assert len(made._buckets) <= 459
    assert made.count == 301_000
    for share, end_ms in ((0.0, MIN_MS), (1.0, MAX_MS)):
        assert math.isclose(made.quantile_ms(share) or 0, end_ms, rel_tol=RELATIVE_ERROR * (1 + 1e-9))
