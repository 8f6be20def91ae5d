"""A canary's share is exact, and it never costs an answer."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from services.common.errors import Transient
from services.common.settings import Settings
from services.inference.analyzer import Analyzer
from services.inference.canary import Canaries
from services.inference.models import parse_model
from services.inference.served import Canary, Models
from tests.unit.inference.small_models import FakeTriton, config, version


def models_with_canary(share: float) -> Models:
    model = parse_model(config("sentiment_canary", canary_of="sentiment", canary_share=str(share)), Path())
    return Models(None, None, {"sentiment": Canary(model, None)})  # type: ignore[arg-type] # only the canary counts


@given(st.integers(1, 100), st.integers(1, 400))
def test_the_share_is_exact_at_every_moment(share: int, batches: int) -> None:
    canaries, models = Canaries(), models_with_canary(share)
    taken = sum(canaries.take_turns(models) == {"sentiment"} for _ in range(batches))
    assert taken == batches * share // 100


def test_ten_per_cent_is_every_tenth_batch() -> None:
    canaries, models = Canaries(), models_with_canary(10)
    taken = [number for number in range(1, 101) if canaries.take_turns(models)]
    assert taken == list(range(10, 101, 10))


@pytest.fixture
def triton(tmp_path: Path) -> FakeTriton:
    return FakeTriton(*(version(tmp_path, name, 1) for name in ("sentiment", "emotion")))


@pytest.fixture
async def analyzer(triton: FakeTriton, tmp_path: Path) -> AsyncIterator[Analyzer]:
    settings = Settings(_env_file=None, model_repository=tmp_path, model_refresh_s=1e-9)
    analyzer = Analyzer(triton, settings)
    yield analyzer
    analyzer.close()


def serve_canary(triton: FakeTriton, repository: Path, number: int, share: str = "100", of: str = "sentiment") -> None:
    triton.serve(version(repository, "sentiment_canary", number, canary_of=of, canary_share=share))


async def versions(analyzer: Analyzer) -> tuple[int, int]:
    (analysis,) = await analyzer.analyse(["hello"])
    return analysis.model_version, analysis.emotion_model_version


def failures(number: int) -> float:
    """Counted in this process: each test has a canary of another number."""
    labels = {"model": "sentiment", "version": str(number)}
    return REGISTRY.get_sample_value("undertone_canary_failures_total", labels) or 0


async def test_the_canary_is_asked_first_then_the_version_in_service_and_nothing_beside_them(
    triton: FakeTriton, analyzer: Analyzer, tmp_path: Path
) -> None:
    serve_canary(triton, tmp_path, 12)
    assert await versions(analyzer) == (12, 1)
    assert triton.requests == [("sentiment_canary", 12), ("sentiment", 1), ("emotion", 1)]


async def test_health_is_that_of_the_versions_in_service(
    triton: FakeTriton, analyzer: Analyzer, tmp_path: Path
) -> None:
    serve_canary(triton, tmp_path, 12)
    await analyzer.check()
    assert ("sentiment_canary", 12) not in triton.requests


async def test_the_end_of_a_canary_is_seen(triton: FakeTriton, analyzer: Analyzer, tmp_path: Path) -> None:
    serve_canary(triton, tmp_path, 12)
    assert await versions(analyzer) == (12, 1)
    del triton.configs["sentiment_canary"]
    assert await versions(analyzer) == (1, 1)
    assert failures(12) == 0


async def test_a_canary_that_fails_costs_no_answer_and_is_counted(
    triton: FakeTriton, analyzer: Analyzer, tmp_path: Path
) -> None:
    def fault() -> None:
        if triton.requests[-1][0] == "sentiment_canary":
            raise RuntimeError("a fault that nobody thought of")

    serve_canary(triton, tmp_path, 13)
    triton.before_answer = fault
    with capture_logs() as lines:
        assert [await versions(analyzer) for _ in range(4)] == [(1, 1)] * 4
    assert failures(13) == 4
    assert [line["event"] for line in lines] == ["a canary answers", "a canary fails"]


async def test_a_canary_whose_tokenizer_cannot_be_read_fails_its_share_until_it_is_there(
    triton: FakeTriton, analyzer: Analyzer, tmp_path: Path
) -> None:
    serve_canary(triton, tmp_path, 14, share="50")
    tokenizer = tmp_path / "sentiment_canary/14/tokenizer.json"
    content = tokenizer.read_bytes()
    tokenizer.unlink()
    with capture_logs() as lines:
        assert [await versions(analyzer) for _ in range(4)] == [(1, 1)] * 4
    assert failures(14) == 2
    assert [line["event"] for line in lines] == ["what Triton serves cannot be used", "a canary fails"]
    tokenizer.write_bytes(content)
    assert [await versions(analyzer) for _ in range(2)] == [(1, 1), (14, 1)]


@pytest.mark.parametrize("wrong", [{"of": "emotion"}, {"of": ""}, {"share": "0"}])
async def test_a_canary_that_is_none_is_told_once_and_not_asked(
    triton: FakeTriton, analyzer: Analyzer, tmp_path: Path, wrong: dict[str, str]
) -> None:
    serve_canary(triton, tmp_path, 15, **wrong)
    with capture_logs() as lines:
        assert [await versions(analyzer) for _ in range(3)] == [(1, 1)] * 3
    assert [line["event"] for line in lines] == ["what Triton serves cannot be used"]
    assert failures(15) == 0


async def test_the_canarys_answer_counts_where_the_version_in_service_has_none(
    triton: FakeTriton, analyzer: Analyzer, tmp_path: Path
) -> None:
    def fault() -> None:
        if triton.requests[-1][0] == "sentiment":
            raise Transient("away")

    serve_canary(triton, tmp_path, 16)
    triton.before_answer = fault
    assert [await versions(analyzer) for _ in range(3)] == [(16, 1)] * 3
    assert ("sentiment", 1) in triton.requests
    assert REGISTRY.get_sample_value("undertone_canary_batches_total", {"model": "sentiment", "version": "16"}) is None
    assert failures(16) == 0
