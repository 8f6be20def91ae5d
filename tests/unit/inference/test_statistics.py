"""What Triton counts becomes what was counted in between: never negative, and no warm-up among it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc.service_pb2 import ModelStatisticsResponse

from services.common.settings import Settings
from services.inference.analyzer import Analyzer
from services.inference.statistics import Counters, Split, Splits, Version, counted, counted_by_all, parse_statistics
from tests.unit.inference.small_models import FakeTriton, version

SENTIMENT: Version = ("sentiment", 1)


def counters(requests: int) -> Counters:
    """Requests of four rows each, two in a batch, 2 ms in the queue and 8 ms in the model."""
    ms = 1_000_000 * requests
    return Counters(requests, 0, 4 * requests, requests // 2, 2 * ms, 8 * ms)


def test_the_counters_of_every_version_are_read() -> None:
    response = ModelStatisticsResponse()
    one = response.model_stats.add(name="sentiment", version="3", inference_count=12, execution_count=4)
    one.inference_stats.success.count = 6
    one.inference_stats.fail.count = 1
    one.inference_stats.queue.ns = 10
    one.inference_stats.compute_input.ns = 1
    one.inference_stats.compute_infer.ns = 2
    one.inference_stats.compute_output.ns = 4
    response.model_stats.add(name="emotion", version="none of ours")
    read = parse_statistics(response)
    assert read == {("sentiment", 3): Counters(6, 1, 12, 4, 10, 7)}
    assert read["sentiment", 3].mean_batch == 3


def test_what_was_counted_in_between_has_its_means() -> None:
    difference = counted([{SENTIMENT: counters(10)}, {SENTIMENT: counters(16)}, {SENTIMENT: counters(30)}])[SENTIMENT]
    assert difference == counters(20)
    assert (difference.queue_ms, difference.compute_ms, difference.mean_batch) == (2, 8, 8)


def test_without_requests_there_is_no_mean() -> None:
    none = counted([{SENTIMENT: counters(4)}, {SENTIMENT: counters(4)}])[SENTIMENT]
    assert (none.requests, none.queue_ms, none.compute_ms, none.mean_batch) == (0, None, None, None)


def test_a_server_that_was_started_again_takes_nothing_back_and_its_warm_up_counts_for_nothing() -> None:
    readings = [{SENTIMENT: counters(n)} for n in (100, 110, 64, 70)]
    assert counted(readings)[SENTIMENT] == counters(16)


def test_a_version_that_was_loaded_meanwhile_counts_from_its_first_reading() -> None:
    """What stands there then is its warm-up."""
    assert counted([{}, {SENTIMENT: counters(64)}, {SENTIMENT: counters(70)}])[SENTIMENT] == counters(6)


def test_a_version_that_is_gone_keeps_what_was_counted_of_it() -> None:
    assert counted([{SENTIMENT: counters(4)}, {SENTIMENT: counters(8)}, {}, {}])[SENTIMENT] == counters(4)


def test_servers_count_apart_and_one_that_was_away_takes_nothing_back_and_brings_nothing_along() -> None:
    a, b = {SENTIMENT: counters(10)}, {SENTIMENT: counters(500)}
    later = {SENTIMENT: counters(16)}
    samples = [{"a": a, "b": b}, {"a": later}, {"a": later, "b": {SENTIMENT: counters(900)}}]
    assert counted_by_all(samples) == {SENTIMENT: counters(6)}
    both = [{"a": a, "b": b}, {"a": later, "b": {SENTIMENT: counters(504)}}]
    assert counted_by_all(both) == {SENTIMENT: counters(10)}


@given(st.lists(st.builds(Counters, *[st.integers(0, 2**40)] * 6), max_size=8))
def test_nothing_is_ever_negative(readings: list[Counters]) -> None:
    for total in counted([{SENTIMENT: reading} for reading in readings]).values():
        assert total == total.since(Counters())
        assert (total.queue_ms or 0) >= 0


@pytest.fixture
def triton(tmp_path: Path) -> FakeTriton:
    return FakeTriton(*(version(tmp_path, name, 1) for name in ("sentiment", "emotion")))


@pytest.fixture
async def analyzer(triton: FakeTriton, tmp_path: Path) -> AsyncIterator[Analyzer]:
    analyzer = Analyzer(triton, Settings(_env_file=None, model_repository=tmp_path))
    yield analyzer
    analyzer.close()


async def test_a_call_tells_how_it_went(analyzer: Analyzer) -> None:
    analyses, course = await analyzer.analyse_timed(["hello", "hello hello"])
    assert len(analyses) == 2
    for inferred in (course.sentiment, course.emotion):
        assert course.tokenized_at <= inferred.at - inferred.took_ms / 1_000 + 1e-6
        assert (inferred.requests, inferred.split) == (1, Split(2, 8))


async def test_what_no_version_answered_has_no_split(triton: FakeTriton) -> None:
    splits = Splits(triton)
    assert await splits.end(await splits.begin()) == {}


async def test_a_call_right_after_one_that_was_measured_asks_nothing_and_has_its_split(triton: FakeTriton) -> None:
    splits = Splits(triton, interval_s=3_600)
    before = await splits.begin()
    triton.requests.append(SENTIMENT)
    measured = await splits.end(before)
    assert measured == {SENTIMENT: Split(2, 8)}
    triton.away = True
    assert await splits.begin() is None
    assert await splits.end(None) == measured


async def test_a_triton_that_does_not_say_costs_no_answer(triton: FakeTriton) -> None:
    splits = Splits(triton)
    triton.away = True
    before = await splits.begin()
    triton.away = False
    triton.requests.append(SENTIMENT)
    assert await splits.end(before) == {}
