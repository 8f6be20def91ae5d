"""Below the limit the feed is everything; above it, an even sample, and it says of how much."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.feed.feed_sample import CALM_S, WINDOW_S, FeedReport, FeedSample


def flow(sample: FeedSample, *, batch: int, every_s: float, seconds: float, start: float = 0.0) -> list[int]:
    """How many of each batch are shown."""
    times = [start + number * every_s for number in range(int(seconds / every_s))]
    return [len(sample.choose(range(batch), now)) for now in times]


@pytest.mark.parametrize(("batch", "every_s"), [(1, 0.006), (10, 0.06), (100, 0.6), (256, 2.5)])
def test_below_the_limit_every_post_is_shown(batch: int, every_s: float) -> None:
    sample = FeedSample(200, 0.0)
    assert set(flow(sample, batch=batch, every_s=every_s, seconds=60)) == {batch}
    assert sample.report(60) is None


def test_without_a_limit_every_post_is_shown() -> None:
    assert set(flow(FeedSample(0, 0.0), batch=10_000, every_s=0.1, seconds=10)) == {10_000}


@pytest.mark.parametrize(("batch", "every_s"), [(1, 0.0008), (5, 0.004), (50, 0.04), (250, 0.2), (1_000, 0.8)])
def test_above_it_as_many_are_shown_as_the_limit_says_however_they_come(batch: int, every_s: float) -> None:
    sample = FeedSample(200, 0.0)
    flow(sample, batch=batch, every_s=every_s, seconds=10)
    shown = sum(flow(sample, batch=batch, every_s=every_s, seconds=60, start=10))
    # A window that holds few batches counts one too many at times.
    assert 0.8 * 60 * 200 <= shown <= 1.02 * 60 * 200


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 2_000)), max_size=60), st.integers(1, 500))
def test_no_flood_passes_more_than_a_window_and_the_time_allow(batches: list[tuple[float, int]], limit: int) -> None:
    sample, now, shown = FeedSample(limit, 0.0), 0.0, 0
    for pause_s, count in batches:
        now += pause_s
        chosen = sample.choose(range(count), now)
        assert sorted(set(chosen)) == list(chosen)  # in their order, each once
        shown += len(chosen)
        assert shown <= limit * (WINDOW_S + now) + 1


def test_of_two_workers_that_always_come_one_after_the_other_both_are_seen_alike() -> None:
    sample, seen = FeedSample(200, 0.0), Counter[str]()
    for number in range(400):
        for worker in ("first", "second"):
            shown = sample.choose([worker] * 150, number * 0.25 + (worker == "second") * 0.001)
            if number >= 20:  # a flood has to begin first
                seen.update(shown)
    assert seen["first"] == pytest.approx(seen["second"], rel=0.02)


def test_a_pattern_in_the_feed_is_no_pattern_of_the_sample() -> None:
    sample, seen = FeedSample(100, 0.0), Counter[str]()
    for number in range(2_000):
        seen.update(sample.choose(["a", "b"] * 10, number * 0.1))
    assert seen["a"] == pytest.approx(seen["b"], rel=0.1)


def test_it_reports_while_it_samples_and_once_when_that_has_ended() -> None:
    sample = FeedSample(10, 0.0)
    reports = []
    for second in range(20):
        posts = 100 if second < 10 else 5
        sample.choose(range(posts), float(second))
        reports.append(sample.report(second + 0.5))
    assert all(report and report.sampled and report.posts == 100 for report in reports[3:10])
    shown = sum(report.shown for report in reports[5:10] if report)
    assert shown == pytest.approx(50, abs=2)
    ends = [number for number, report in enumerate(reports) if report and not report.sampled]
    (end,) = ends
    assert reports[end] == FeedReport(sampled=False, posts=5, shown=5, seconds=1.0)
    assert end >= 10 + CALM_S - 1
    assert not any(reports[end + 1 :])


def test_a_limit_that_changes_holds_from_then_on() -> None:
    sample = FeedSample(0, 0.0)
    assert sum(flow(sample, batch=100, every_s=0.1, seconds=10)) == 10_000
    for limit, start in ((50.0, 10.0), (12.5, 40.0), (200.0, 70.0), (0.0, 100.0)):
        sample.limit(limit)
        shown = sum(flow(sample, batch=100, every_s=0.1, seconds=30, start=start))
        wanted = 30 * (limit or 1_000)
        assert 0.95 * wanted <= shown <= wanted + limit * WINDOW_S + 1, limit
