"""The models, asked over HTTP: the answers are those that a worker stores, and many callers share Triton's batches."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest
from tokenizers import Tokenizer
from tritonclient.grpc.aio import InferenceServerClient

from services.common.settings import Settings
from services.inference.analyzer import open_analyzer
from services.inference.scoring import probabilities
from tests.conftest import ROOT
from tests.integration.asking_api import asking_api
from tests.integration.test_api_server import relayed
from tests.parity.direct import direct_scores
from tests.posts import make_posts
from tests.waiting import eventually

TOLERANCE = 1e-3
PATHS = {"sentiment": "/predict", "emotion": "/models/emotion/predict"}
CALLERS = 32
PATIENT = {"inference_timeout_s": 60.0, "api_wait_s": 60.0}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no reason to fail."""
    monkeypatch.setattr("services.api.asking.question.AWAY_TIMEOUT_S", PATIENT["inference_timeout_s"])


@pytest.fixture
def triton_settings(triton_settings: Settings) -> Settings:
    return triton_settings.model_copy(update=PATIENT)


@pytest.fixture
async def api(triton_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with asking_api(triton_settings) as client:
        yield client


async def ask(api: httpx.AsyncClient, path: str, **body: object) -> Any:
    answer = await api.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def by_label(predictions: Sequence[dict[str, Any]]) -> dict[str, float]:
    scores = [each["score"] for each in predictions]
    assert scores == sorted(scores, reverse=True)
    return {each["label"]: each["score"] for each in predictions}


def labels_of(role: str) -> list[str]:
    return (ROOT / "model_repository" / role / "1" / "labels.txt").read_text().split()


@pytest.mark.parametrize("role", PATHS)
async def test_every_score_equals_the_runtime_called_directly_alone_and_in_a_batch(
    api: httpx.AsyncClient, role: str
) -> None:
    texts = [post.content for post in make_posts(CALLERS)]
    expected = [dict(zip(labels_of(role), row, strict=True)) for row in direct_scores(role, texts)]
    batch = await ask(api, PATHS[role], inputs=[[text] for text in texts])
    alone = await asyncio.gather(*(ask(api, PATHS[role], inputs=text) for text in texts))
    for together, single, scores in zip(batch, alone, expected, strict=True):
        assert by_label(together) == pytest.approx(scores, abs=TOLERANCE)
        assert by_label(single) == pytest.approx(scores, abs=TOLERANCE)


async def test_analyses_are_those_that_a_worker_would_store(api: httpx.AsyncClient, triton_settings: Settings) -> None:
    texts = [post.content for post in make_posts(CALLERS, seed=1)]
    async with open_analyzer(triton_settings) as worker:
        stored = await worker.analyse(texts)
    answer = await ask(api, "/api/analyze", texts=texts)
    for result, analysis in zip(answer["results"], stored, strict=True):
        sentiment, emotion = result["sentiment"], result["emotion"]
        assert (sentiment["label"], emotion["label"]) == (analysis.sentiment_label, analysis.emotion)
        assert sentiment["confidence"] == pytest.approx(analysis.confidence, abs=TOLERANCE)
        assert emotion["confidence"] == pytest.approx(analysis.emotion_confidence, abs=TOLERANCE)
        assert (sentiment["model_name"], sentiment["model_version"]) == (analysis.model_name, analysis.model_version)
        assert emotion["model_name"] == analysis.emotion_model_name
        assert result["truncated"] is False
    timing = answer["timing"]
    assert 0 < timing["tokenize_ms"] < timing["total_ms"]
    assert 0 < max(timing["sentiment_ms"], timing["emotion_ms"]) < timing["total_ms"]


async def test_raw_scores_are_the_logits_of_the_same_answer(api: httpx.AsyncClient) -> None:
    raw = by_label(await ask(api, "/predict", inputs="I love this", raw_scores=True))
    scores = by_label(await ask(api, "/predict", inputs="I love this"))
    computed = probabilities(np.array([list(raw.values())], np.float32), "softmax")[0]
    assert dict(zip(raw, computed, strict=True)) == pytest.approx(scores, abs=TOLERANCE)
    assert sum(raw.values()) != pytest.approx(1)


@pytest.mark.parametrize("role", PATHS)
async def test_a_pair_is_what_the_models_own_tokenizer_makes_of_it(api: httpx.AsyncClient, role: str) -> None:
    first, second = pair = ["How was the concert?", "I hated every minute of it"]
    folder = ROOT / "model_repository" / role / "1"
    ids = np.array([Tokenizer.from_file(str(folder / "tokenizer.json")).encode(first, second).ids], np.int64)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    expected = dict(zip(labels_of(role), probabilities(logits, "softmax")[0], strict=True))
    assert by_label(await ask(api, PATHS[role], inputs=pair)) == pytest.approx(expected, abs=TOLERANCE)
    ((in_batch),) = await ask(api, PATHS[role], inputs=[pair])
    assert by_label(in_batch) == pytest.approx(expected, abs=TOLERANCE)


async def test_a_long_text_is_refused_or_cut_at_the_end_that_the_client_says(
    api: httpx.AsyncClient, triton_settings: Settings
) -> None:
    text = "awful " * 600 + "wonderful " * 600
    refused = await api.post("/predict", json={"inputs": text})
    assert (refused.status_code, refused.json()) == (
        413,
        {
            "error": "Input validation error: `inputs` must have less than 512 tokens. Given: 1202",
            "error_type": "Validation",
        },
    )
    assert (await api.post("/predict", json={"inputs": [["short"], [text]]})).json() == refused.json()
    beginning = await ask(api, "/predict", inputs=text, truncate=True)
    end = await ask(api, "/predict", inputs=text, truncate=True, truncation_direction="Left")
    assert (beginning[0]["label"], end[0]["label"]) == ("negative", "positive")
    async with open_analyzer(triton_settings) as worker:
        (stored,) = await worker.analyse([text])
    assert beginning[0]["score"] == pytest.approx(stored.confidence, abs=TOLERANCE)
    (result,) = (await ask(api, "/api/analyze", text=text))["results"]
    assert (result["text_tokens"], result["truncated"]) == (1202, True)


async def counts(triton: str) -> tuple[int, int]:
    """What the sentiment model has computed: texts, and the executions that they were merged into."""
    async with InferenceServerClient(triton) as client:
        (statistics,) = (await client.get_inference_statistics("sentiment")).model_stats
        return int(statistics.inference_count), int(statistics.execution_count)


async def texts_an_execution(settings: Settings, callers: int) -> float:
    """Of that many callers, each with a text of another length, at once."""
    # All of them are padded to 256 tokens; Triton merges what has one shape.
    texts = ["word " * (130 + 3 * number) for number in range(callers)]
    async with asking_api(settings) as api:
        before = await counts(settings.triton_url)
        await asyncio.gather(*(ask(api, "/predict", inputs=text) for text in texts))
        after = await counts(settings.triton_url)
    inferences, executions = after[0] - before[0], after[1] - before[1]
    # The health probe is one text each time.
    assert inferences >= callers
    return inferences / executions


async def test_the_requests_of_many_callers_merge_in_triton(triton_settings: Settings) -> None:
    """One after the other they could not."""
    one_turn = triton_settings.model_copy(update={"api_inference_texts_at_work": 1})
    alone = await texts_an_execution(one_turn, CALLERS // 4)
    together = await texts_an_execution(triton_settings, CALLERS)
    print(f"\n{CALLERS} callers: {together:.1f} texts an execution, {alone:.1f} where one has its turn at a time")
    assert alone < 1.2
    assert together > 2


async def test_a_triton_that_goes_away_and_comes_back_is_told_in_teis_words(triton_settings: Settings) -> None:
    async with relayed(f"grpc://{triton_settings.triton_url}") as relay:
        settings = triton_settings.model_copy(update={"triton_url": f"127.0.0.1:{relay.port}"})
        async with asking_api(settings) as api:
            assert (await api.get("/api/models")).status_code == 503
            refused = await api.post("/predict", json={"inputs": "hello"})
            assert (refused.status_code, refused.json()) == (
                503,
                {"error": "Triton does not answer; try again shortly.", "error_type": "Unhealthy"},
            )
            assert int(refused.headers["retry-after"]) > 0
            problem = await api.post("/api/analyze", json={"text": "hello"})
            assert problem.status_code == 503
            assert int(problem.headers["retry-after"]) > 0
            await relay.open()

            async def answers() -> bool:
                return (await api.post("/predict", json={"inputs": "hello"})).status_code == 200

            await eventually(answers, "an answer")
            await relay.cut()
            assert (await api.post("/predict", json={"inputs": "hello"})).status_code == 503

            async def states() -> set[str]:
                return {each["state"] for each in (await api.get("/api/models")).json()["models"]}

            async def unavailable() -> bool:
                return await states() == {"unavailable"}

            await eventually(unavailable, "models known as unavailable")


async def test_a_flood_is_answered_in_turn_or_told_to_come_later_and_leaves_nothing(triton_settings: Settings) -> None:
    """Whoever gives up meanwhile leaves nothing either, and dashboards do not wait for any of them."""
    small = triton_settings.model_copy(update={"api_inference_texts_at_work": 4, "api_inferences_waiting": 2})
    batch = {"inputs": [["word " * 100]] * 4}
    async with asking_api(small) as api:
        await ask(api, "/predict", inputs="hello")
        flood = [asyncio.create_task(api.post("/predict", json=batch)) for _ in range(24)]
        impatient = asyncio.create_task(api.post("/predict", json=batch, timeout=0.05))
        assert (await api.get("/api/posts")).status_code == 200
        answers = await asyncio.gather(*flood)
        await asyncio.gather(impatient, return_exceptions=True)
        assert {answer.status_code for answer in answers} == {200, 429}
        for answer in answers:
            if answer.status_code == 429:
                assert answer.json() == {"error": "Model is overloaded", "error_type": "Overloaded"}
                assert int(answer.headers["retry-after"]) > 0

        async def nothing_is_left() -> bool:
            lines = (await api.get("/metrics")).text.splitlines()
            left = [f"undertone_inference_{name} 0.0" in lines for name in ("texts_at_work", "requests_waiting")]
            return all(left)

        await eventually(nothing_is_left, "no turns taken and nobody waiting")
        await ask(api, "/predict", inputs="hello")


async def test_the_models_are_told_as_triton_serves_them(api: httpx.AsyncClient) -> None:
    async def ready() -> list[dict[str, Any]]:
        models: list[dict[str, Any]] = (await api.get("/api/models")).json()["models"]
        return models if all(model["state"] == "ready" for model in models) else []

    sentiment, emotion = await eventually(ready, "both models ready")
    assert sentiment == {
        "name": "sentiment",
        "role": "sentiment",
        "source": "undertone-starter-sentiment",
        "revision": "1",
        "version": 1,
        "precision": "fp32",
        "labels": ["negative", "neutral", "positive"],
        "max_tokens": 512,
        "lengths": [16, 32, 64, 128, 256, 512],
        "activation": "softmax",
        "device": "cpu",
        "runtime": None,
        "state": "ready",
        "canary": None,
    }
    assert (emotion["role"], emotion["labels"]) == ("emotion", labels_of("emotion"))
