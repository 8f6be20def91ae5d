"""The models in service, told as Triton's configuration has them, a canary and an outage included."""

from pathlib import Path

import httpx
import pytest

from services.common.settings import Settings
from services.inference.analyzer import Analyzer
from tests.unit.api.asked_models import AskedModels, asking
from tests.unit.inference.small_models import FakeTriton, config, sha256, tokenizer_file, version

ALWAYS_S = 1e-9


@pytest.fixture
def triton(tmp_path: Path) -> FakeTriton:
    return FakeTriton(*(version(tmp_path, name, 1) for name in ("sentiment", "emotion")))


class Models(AskedModels):
    """Those that a Triton of plain objects serves."""

    def __init__(self, analyzer: Analyzer) -> None:
        super().__init__()
        self.models = analyzer.models  # type: ignore[method-assign] # a real one in place of the other
        self.score = analyzer.score  # type: ignore[method-assign] # as above


def analyzer_of(triton: FakeTriton, repository: Path) -> Analyzer:
    return Analyzer(triton, Settings(_env_file=None, model_repository=repository, model_refresh_s=ALWAYS_S))


async def states(client: httpx.AsyncClient) -> list[str]:
    return [model["state"] for model in (await client.get("/api/models")).json()["models"]]


async def test_a_canary_stands_beside_the_version_that_it_is_tried_out_against(
    triton: FakeTriton, tmp_path: Path
) -> None:
    (tmp_path / "sentiment" / "2").mkdir()
    (tmp_path / "sentiment" / "2" / "tokenizer.json").write_bytes(tokenizer_file(3))
    triton.serve(
        config(
            "sentiment_canary",
            version="2",
            tokenizer_sha256=sha256(tokenizer_file(3)),
            canary_of="sentiment",
            canary_share="12.5",
        )
    )
    async with asking(Models(analyzer_of(triton, tmp_path))) as (client, _):
        sentiment, emotion = (await client.get("/api/models")).json()["models"]
    assert (sentiment["name"], sentiment["version"]) == ("sentiment", 1)
    assert sentiment["canary"] == {"version": 2, "percent": 12.5}
    assert emotion["canary"] is None
    assert (emotion["labels"], emotion["lengths"], emotion["max_tokens"]) == (["negative", "positive"], [16, 32], 32)
    assert (emotion["device"], emotion["runtime"], emotion["precision"]) == (None, None, None)


async def test_before_triton_has_answered_once_nothing_is_known(triton: FakeTriton, tmp_path: Path) -> None:
    triton.away = True
    async with asking(Models(analyzer_of(triton, tmp_path))) as (client, _):
        answer = await client.get("/api/models")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_afterwards_what_it_served_last_is_unavailable(triton: FakeTriton, tmp_path: Path) -> None:
    analyzer = analyzer_of(triton, tmp_path)
    await analyzer.models()
    triton.away = True
    async with asking(Models(analyzer)) as (client, _):
        assert await states(client) == ["unavailable"] * 2


async def test_one_model_that_answers_is_ready_whatever_the_other_does(triton: FakeTriton, tmp_path: Path) -> None:
    analyzer = analyzer_of(triton, tmp_path)
    await analyzer.models()
    del triton.configs["emotion"]
    triton.configs["emotion"] = config("emotion", version="9", tokenizer_sha256="")
    async with asking(Models(analyzer)) as (client, _):
        assert await states(client) == ["ready", "unavailable"]
