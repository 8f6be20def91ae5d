"""Every post of the channel is counted and timed, and the newest are remembered."""

from datetime import UTC, datetime, timedelta

import msgspec

from services.api.metrics import ApiMetrics
from services.api.statistics.arrivals import Arrivals
from services.api.statistics.latency import RELATIVE_ERROR
from services.common.messages import ResultsMessage
from tests.unit.api.analysed import analysed_posts


def message(first: int, count: int, ago_ms: int | None = None) -> ResultsMessage:
    """Posts that were queued so long ago; None: their worker does not say."""
    now_ms = int(datetime.now(UTC).timestamp() * 1_000)
    queued_ms = None if ago_ms is None else now_ms - ago_ms
    posts = analysed_posts(first + count)[first:]
    return ResultsMessage(posts=tuple(msgspec.structs.replace(post, queued_ms=queued_ms) for post in posts))


def test_what_came_since_the_last_look_is_taken_once() -> None:
    arrivals = Arrivals(ApiMetrics())
    arrivals.note(message(0, 3, ago_ms=10_000))
    arrivals.note(message(3, 2))
    taken = arrivals.take()
    assert (taken.posts, taken.latencies.count) == (5, 3)
    took_ms = taken.latencies.quantile_ms(0.5)
    assert took_ms is not None
    assert 10_000 * (1 - RELATIVE_ERROR) <= took_ms < 20_000
    taken = arrivals.take()
    assert (taken.posts, taken.latencies.count) == (0, 0)


def test_prometheus_has_the_same_posts() -> None:
    metrics = ApiMetrics()
    Arrivals(metrics).note(message(0, 3, ago_ms=100_000))
    value = metrics.registry.get_sample_value
    name = "undertone_post_latency_seconds"
    assert value(f"{name}_count") == 3
    assert value(f"{name}_bucket", {"le": "60.0"}) == 0
    assert value(f"{name}_bucket", {"le": "300.0"}) == 3


def test_a_clock_that_is_behind_takes_no_negative_time() -> None:
    arrivals = Arrivals(ApiMetrics())
    arrivals.note(message(0, 1, ago_ms=-3_600_000))
    assert (arrivals.take().latencies.quantile_ms(1) or 0) <= 1 + RELATIVE_ERROR


def test_the_newest_posts_are_remembered_and_no_more_than_twice_as_many() -> None:
    arrivals = Arrivals(ApiMetrics(), remembered=10)
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    for first in range(0, 100, 5):
        arrivals.note(message(first, 5))
    remembered = [i for i in range(100) if arrivals.pushed_at(f"p{i}")]
    assert remembered[-10:] == list(range(90, 100))
    assert len(remembered) <= 20
    at = arrivals.pushed_at("p99")
    assert at is not None
    assert before <= at <= datetime.now(UTC) + timedelta(milliseconds=1)
    assert arrivals.pushed_at("never heard of") is None


def test_a_post_that_is_forgotten_was_never_pushed() -> None:
    arrivals = Arrivals(ApiMetrics(), remembered=2)
    for first in range(0, 4, 2):
        arrivals.note(message(first, 2))
    arrivals.forget(["p0", "p2", "unknown"])
    assert [i for i in range(4) if arrivals.pushed_at(f"p{i}")] == [1, 3]
