"""Both models on somebody's own texts: what is answered, and what is refused."""

from collections.abc import AsyncIterator

import httpx
import pytest

from services.common.errors import Rejected, Transient
from tests.unit.api.asked_models import AskedModels, asking


@pytest.fixture
async def models() -> AskedModels:
    return AskedModels()


@pytest.fixture
async def client(models: AskedModels) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(models, api_inference_max_texts=3, api_inference_max_chars=20) as (client, _):
        yield client


async def test_a_text_has_a_verdict_of_each_model_with_every_score(
    client: httpx.AsyncClient, models: AskedModels
) -> None:
    answer = (await client.post("/api/analyze", json={"text": "hello"})).json()
    (result,) = answer["results"]
    assert (result["text_tokens"], result["truncated"]) == (5, False)
    sentiment, emotion = result["sentiment"], result["emotion"]
    assert (sentiment["label"], emotion["label"]) == ("positive", "anger")
    assert (sentiment["model_name"], sentiment["model_version"]) == ("some/sentiment", 3)
    for verdict in (sentiment, emotion):
        scores = [each["score"] for each in verdict["scores"]]
        assert verdict["confidence"] == pytest.approx(scores[0], abs=1e-6)
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1)
    assert answer["timing"]["tokenize_ms"] == 1
    assert answer["timing"]["sentiment_ms"] == answer["timing"]["emotion_ms"] == 2
    assert models.asked == [(["hello"], ["sentiment", "emotion"], "right")]


async def test_several_texts_have_their_results_in_order_and_say_whether_they_were_cut(
    client: httpx.AsyncClient,
) -> None:
    answer = (await client.post("/api/analyze", json={"texts": ["x" * 16, "y" * 17]})).json()
    assert [(each["text_tokens"], each["truncated"]) for each in answer["results"]] == [(16, False), (17, True)]


async def test_below_the_band_a_model_without_a_neutral_class_says_neutral(models: AskedModels) -> None:
    models.activation = "sigmoid"
    async with asking(models, neutral_below=1.0) as (client, _):
        (result,) = (await client.post("/api/analyze", json={"text": "hello"})).json()["results"]
        # This sentiment model has the class: it is taken at its word.
        assert result["sentiment"]["label"] == "positive"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "send either text or texts"),
        ({"text": "a", "texts": ["b"]}, "send either text or texts"),
        ({"text": None}, "text"),
        ({"text": ""}, "text"),
        ({"text": " \n"}, "must not be blank"),
        ({"texts": []}, "texts"),
        ({"texts": ["a", " "]}, "must not be blank"),
        ({"texts": "a"}, "texts"),
        ({"text": 5}, "text"),
        ({"text": "a", "other": 1}, "other"),
        ({"texts": ["a"] * 4}, "texts: 4 of them, and at most 3 may be"),
        ({"text": "x" * 21}, "text: 21 characters, and at most 20 may be"),
    ],
)
async def test_what_is_no_question_is_refused_in_a_sentence(
    client: httpx.AsyncClient, models: AskedModels, body: object, sentence: str
) -> None:
    answer = await client.post("/api/analyze", json=body)
    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]
    assert models.asked == []


@pytest.mark.parametrize(("failure", "status"), [(Transient("secret", service="Triton"), 503), (Rejected("no"), 422)])
async def test_a_failure_of_the_models_is_told(
    client: httpx.AsyncClient, models: AskedModels, failure: Exception, status: int
) -> None:
    models.failure = failure
    answer = await client.post("/api/analyze", json={"text": "a"})
    assert answer.status_code == status
    assert "secret" not in answer.text


async def test_another_page_may_ask_since_nothing_is_changed(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/analyze", json={"text": "a"}, headers={"Origin": "https://other.example"})
    assert answer.status_code == 200
