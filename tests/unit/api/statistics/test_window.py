"""Rates and means of a window come from what was counted in it: no more, never less than nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.api.metrics import StreamNumbers
from services.api.statistics.arrivals import Slice
from services.api.statistics.latency import RELATIVE_ERROR, Latencies
from services.api.statistics.watch import point_of
from services.api.statistics.window import Sample, window_of
from services.inference.statistics import Counted, Counters, Version

SENTIMENT: Version = ("sentiment", 1)
EMOTION: Version = ("emotion", 1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def counters(requests: int) -> Counters:
    """Of 3 texts each, alone in their batches; 2 ms in the queue, 8 ms in the model."""
    return Counters(requests, 0, 3 * requests, requests, 2_000_000 * requests, 8_000_000 * requests)


def sample(second: float, statistics: Counted | None, latencies_ms: Sequence[float] = ()) -> Sample:
    latencies = Latencies()
    for latency_ms in latencies_ms:
        latencies.add(latency_ms)
    return Sample(
        START + timedelta(seconds=second),
        second,
        None if statistics is None else {"triton": statistics},
        Slice(len(latencies_ms), latencies),
        StreamNumbers(7, 1, 2, 0),
    )


def test_a_window_holds_what_came_after_its_first_sample() -> None:
    """The posts of a sample came before it: those of the first one lie before the window."""
    samples = [
        sample(0, {SENTIMENT: counters(0)}, [1_000] * 50),
        sample(5, {SENTIMENT: counters(10)}, [10] * 20),
        sample(10, {SENTIMENT: counters(40)}, [20] * 30),
    ]
    window = window_of(samples, 60)
    assert (window.seconds, window.posts, window.latencies.count) == (10, 50, 50)
    assert window.per_s(window.posts) == 5
    assert window.counted == {SENTIMENT: counters(40)}
    last = window_of(samples, 5)
    assert (last.seconds, last.posts, last.counted) == (5, 30, {SENTIMENT: counters(30)})


@pytest.mark.parametrize(("asked_s", "got_s"), [(4, 5), (5, 5), (6, 10), (600, 20)])
def test_a_window_is_as_long_as_was_asked_for_or_as_there_is(asked_s: float, got_s: float) -> None:
    """From the sample before its beginning, so that nothing of it is missing."""
    samples = [sample(second, {}) for second in (0, 5, 10, 15, 20)]
    assert window_of(samples, asked_s).seconds == got_s


def test_a_single_sample_is_a_beginning_and_has_no_rate() -> None:
    window = window_of([sample(3, {SENTIMENT: counters(64)}, [1] * 9)], 300)
    assert (window.seconds, window.posts, window.counted) == (0, 0, {})
    assert window.per_s(5) == 0


def test_while_triton_is_away_time_goes_on_and_what_it_counted_stays() -> None:
    """And when it is back, started again, nothing of that is taken back."""
    samples = [
        sample(0, {SENTIMENT: counters(100)}),
        sample(5, {SENTIMENT: counters(120)}),
        sample(10, None),
        sample(15, None),
    ]
    window = window_of(samples, 60)
    assert (window.seconds, window.counted) == (15, {SENTIMENT: counters(20)})
    samples += [sample(20, {SENTIMENT: counters(64)}), sample(25, {SENTIMENT: counters(70)})]
    assert window_of(samples, 60).counted == {SENTIMENT: counters(26)}


def test_a_point_of_the_history_is_what_lies_between_two_samples() -> None:
    point = point_of(
        sample(0, {SENTIMENT: counters(0), EMOTION: counters(0)}),
        sample(5, {SENTIMENT: counters(10), EMOTION: counters(20)}, [100] * 99 + [1_000]),
    )
    assert (point.at, point.posts_per_s, point.inferences_per_s) == (START + timedelta(seconds=5), 20, 18)
    assert (point.mean_batch, point.queue_ms, point.compute_ms, point.lag) == (3, 2, 8, 7)
    assert point.p50_ms == pytest.approx(100, rel=RELATIVE_ERROR)
    assert point.p99_ms == pytest.approx(100, rel=RELATIVE_ERROR)


def test_of_a_point_without_triton_and_posts_nothing_is_made_up() -> None:
    point = point_of(sample(0, {SENTIMENT: counters(5)}), sample(5, None))
    assert (point.posts_per_s, point.inferences_per_s, point.queue_ms, point.p50_ms) == (0, None, None, None)
