"""The dialect of text-embeddings-inference, shape by shape and error by error."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest

from services.common.errors import ConfigurationError, Rejected, Transient
from services.inference.scorer import TooLong, Untokenizable
from services.inference.scoring import probabilities, ranked
from tests.unit.api.asked_models import AskedModels, asking

JSON = {"content-type": "application/json"}
PATHS = ("/predict", "/models/sentiment/predict", "/models/emotion/predict")


@pytest.fixture
async def models() -> AskedModels:
    return AskedModels()


@pytest.fixture
async def client(models: AskedModels) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(models, api_inference_max_texts=3, api_inference_max_chars=20) as (client, _):
        yield client


@pytest.mark.parametrize(
    ("inputs", "asked"),
    [
        ("one", ["one"]),
        (["one"], ["one"]),
        (["one", "two"], [("one", "two")]),
        (["", "two"], [("", "two")]),
    ],
)
async def test_a_text_or_a_pair_is_one_input_and_has_one_answer(
    client: httpx.AsyncClient, models: AskedModels, inputs: object, asked: object
) -> None:
    answer = await client.post("/predict", json={"inputs": inputs})
    assert answer.status_code == 200
    assert [each["label"] for each in answer.json()] == ["positive", "neutral", "negative"]
    assert models.asked == [(asked, ["sentiment"], None)]


async def test_a_batch_mixes_texts_and_pairs_and_has_an_answer_for_each(
    client: httpx.AsyncClient, models: AskedModels
) -> None:
    answer = await client.post("/predict", json={"inputs": [["one"], ["two", "three"]]})
    assert [len(each) for each in answer.json()] == [3, 3]
    assert models.asked == [(["one", ("two", "three")], ["sentiment"], None)]
    assert [len(each) for each in (await client.post("/predict", json={"inputs": [["one"]]})).json()] == [3]


@pytest.mark.parametrize(("path", "role"), [*zip(PATHS, ("sentiment", "sentiment", "emotion"), strict=True)])
async def test_the_path_says_which_model_answers(
    client: httpx.AsyncClient, models: AskedModels, path: str, role: str
) -> None:
    assert (await client.post(path, json={"inputs": "one"})).status_code == 200
    assert models.asked[0][1] == [role]


@pytest.mark.parametrize(
    ("options", "cut"),
    [
        ({}, None),
        ({"truncate": None}, None),
        ({"truncate": False, "truncation_direction": "Left"}, None),
        ({"truncate": True}, "right"),
        ({"truncate": True, "truncation_direction": "Right"}, "right"),
        ({"truncate": True, "truncation_direction": "Left"}, "left"),
        ({"truncate": True, "truncation_direction": "left"}, "left"),
        ({"parameters": {"top_k": 1}, "normalize": True}, None),
    ],
)
async def test_options_have_teis_names_and_defaults_and_others_are_ignored(
    client: httpx.AsyncClient, models: AskedModels, options: dict[str, object], cut: object
) -> None:
    assert (await client.post("/predict", json={"inputs": "one", **options})).status_code == 200
    assert models.asked[0][2] == cut


async def test_raw_scores_are_the_logits_and_the_others_probabilities_both_falling(client: httpx.AsyncClient) -> None:
    raw = (await client.post("/predict", json={"inputs": "one", "raw_scores": True})).json()
    assert [each["score"] for each in raw] == [2, 1, 0]
    scores = (await client.post("/predict", json={"inputs": "one"})).json()
    assert sum(each["score"] for each in scores) == pytest.approx(1)
    assert [each["label"] for each in scores] == [each["label"] for each in raw]


async def test_labels_that_do_not_exclude_each_other_have_a_sigmoid_each(
    client: httpx.AsyncClient, models: AskedModels
) -> None:
    models.activation = "sigmoid"
    scores = (await client.post("/models/emotion/predict", json={"inputs": "one"})).json()
    assert [(each["label"], each["score"]) for each in scores] == [("anger", pytest.approx(0.731059)), ("joy", 0.5)]


def test_of_equal_scores_the_last_label_is_first_as_teis_sort_leaves_them() -> None:
    row = np.array([[0.1, 0.4, 0.4, 0.1]], np.float32)
    assert [label for label, _ in ranked(row, "abcd")[0]] == ["c", "b", "d", "a"]
    # Written as short as a float32 can be told.
    assert ranked(row, "abcd")[0][0][1] == 0.4
    assert ranked(probabilities(row, "softmax"), "abcd")[0][0][0] == "c"


async def test_the_headers_tell_what_was_computed_and_how_long_it_took(client: httpx.AsyncClient) -> None:
    headers = (await client.post("/predict", json={"inputs": [["one"], ["x" * 20]], "truncate": True})).headers
    assert (headers["x-compute-characters"], headers["x-compute-tokens"]) == ("23", "19")
    assert (headers["x-tokenization-time"], headers["x-inference-time"]) == ("1", "2")
    assert int(headers["x-total-time"]) >= 0
    assert int(headers["x-queue-time"]) >= 0


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, (422, "Validation", "inputs")),
        ({"inputs": None}, (422, "Validation", "inputs: must be a string, a pair of strings")),
        ({"inputs": 5}, (422, "Validation", "inputs: must be a string, a pair of strings")),
        ({"inputs": []}, (422, "Validation", "inputs: must be")),
        ({"inputs": [[]]}, (422, "Validation", "inputs: must be")),
        ({"inputs": ["a", "b", "c"]}, (422, "Validation", "inputs: must be")),
        ({"inputs": [["a", "b", "c"]]}, (422, "Validation", "inputs: must be")),
        ({"inputs": [["a"], "b"]}, (422, "Validation", "inputs: must be")),
        ({"inputs": ["a", ["b"]]}, (422, "Validation", "inputs: must be")),
        ({"inputs": "a", "raw_scores": "yes"}, (422, "Validation", "raw_scores")),
        ({"inputs": "a", "raw_scores": None}, (422, "Validation", "raw_scores")),
        ({"inputs": "a", "truncate": 1}, (422, "Validation", "truncate")),
        ({"inputs": "a", "truncation_direction": "up"}, (422, "Validation", "truncation_direction")),
        ([], (422, "Validation", "body")),
        ({"inputs": ""}, (400, "Empty", "Input validation error: `inputs` cannot be empty")),
        ({"inputs": ["", ""]}, (400, "Empty", "Input validation error: `inputs` cannot be empty")),
        ({"inputs": [["a"], [""]]}, (400, "Empty", "Input validation error: `inputs` cannot be empty")),
        ({"inputs": [["a"]] * 4}, (413, "Validation", "batch size 4 > maximum allowed batch size 3")),
        (
            {"inputs": "x" * 21, "truncate": True},
            (413, "Validation", "Input validation error: `inputs` must have less than 20 characters. Given: 21"),
        ),
    ],
)
async def test_every_refusal_is_one_that_a_tei_client_understands(
    client: httpx.AsyncClient, models: AskedModels, path: str, body: object, refusal: tuple[int, str, str]
) -> None:
    status, error_type, error = refusal
    answer = await client.post(path, json=body)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "error_type"}
    assert answer.json()["error_type"] == error_type
    assert answer.json()["error"].startswith(error)
    assert models.asked == []


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", JSON, 422),
        (b"{", JSON, 422),
        (b'{"inputs": "\xff"}', JSON, 422),
        (b'{"inputs": "\\ud800"}', JSON, 422),
        (b'{"inputs": "a"}', {}, 415),
        (b'{"inputs": "a"}', {"content-type": "text/plain"}, 415),
        (b'{"inputs": "' + b"x" * 1_000_000 + b'"}', JSON, 413),
    ],
)
async def test_so_is_what_was_no_request_at_all(
    client: httpx.AsyncClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await client.post("/predict", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error_type"] == "Validation"


@pytest.mark.parametrize(
    ("failure", "refusal"),
    [
        (
            TooLong(600, 512),
            (413, "Validation", "Input validation error: `inputs` must have less than 512 tokens. Given: 600"),
        ),
        (Untokenizable("the tokenizer failed: no"), (422, "Tokenizer", "the tokenizer failed: no")),
        (Rejected("secret"), (424, "Backend", "Backend error: the model refuses these inputs.")),
        (Transient("secret", service="Triton"), (503, "Unhealthy", "Triton does not answer; try again shortly.")),
        (ConfigurationError("secret"), (503, "Unhealthy", "Triton does not answer; try again shortly.")),
        (ValueError("secret"), (500, "Backend", "Backend error: an internal one.")),
    ],
)
async def test_a_failure_of_the_models_has_the_status_that_tei_gives_it_and_no_address(
    client: httpx.AsyncClient, models: AskedModels, failure: Exception, refusal: tuple[int, str, str]
) -> None:
    status, error_type, error = refusal
    models.failure = failure
    answer = await client.post("/predict", json={"inputs": "one"})
    assert (answer.status_code, answer.json()) == (status, {"error": error, "error_type": error_type})
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_another_page_may_ask_since_nothing_is_changed(client: httpx.AsyncClient) -> None:
    answer = await client.post("/predict", json={"inputs": "one"}, headers={"Origin": "https://other.example"})
    assert answer.status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_other_methods_are_not_the_dashboards(client: httpx.AsyncClient, path: str, method: str) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error_type"] == "Validation"


async def test_a_model_that_is_not_there_is_404(client: httpx.AsyncClient) -> None:
    answer = await client.post("/models/other/predict", json={"inputs": "one"})
    assert (answer.status_code, set(answer.json())) == (404, {"error", "error_type"})


async def test_who_finds_no_room_is_told_so_and_when_to_come_again() -> None:
    models = AskedModels()
    models.go.clear()
    async with asking(models, api_inference_texts_at_work=1, api_inferences_waiting=1) as (client, metrics):

        def sample(name: str, **labels: str) -> float | None:
            return metrics.registry.get_sample_value(f"undertone_inference_{name}", labels)

        inside = []
        for number in (1, 2):
            inside.append(asyncio.create_task(client.post("/predict", json={"inputs": "one"})))
            while (sample("texts_at_work") or 0) + (sample("requests_waiting") or 0) < number:
                await asyncio.sleep(0)
        answer = await client.post("/predict", json={"inputs": "one"})
        assert (answer.status_code, answer.json()) == (
            429,
            {"error": "Model is overloaded", "error_type": "Overloaded"},
        )
        assert int(answer.headers["retry-after"]) > 0
        problem = await client.post("/api/analyze", json={"text": "one"})
        assert (problem.status_code, int(problem.headers["retry-after"]) > 0) == (429, True)
        assert sample("requests_refused_total", reason="full") == 2
        models.go.set()
        assert [each.status_code for each in await asyncio.gather(*inside)] == [200, 200]
        assert (sample("texts_at_work"), sample("requests_waiting")) == (0, 0)


async def test_a_client_that_leaves_while_it_waits_leaves_its_place() -> None:
    models = AskedModels()
    models.go.clear()
    async with asking(models, api_inference_texts_at_work=1, api_inferences_waiting=1) as (client, metrics):

        def waiting() -> float | None:
            return metrics.registry.get_sample_value("undertone_inference_requests_waiting")

        first = asyncio.create_task(client.post("/predict", json={"inputs": "one"}))
        while not models.asked:
            await asyncio.sleep(0)
        gone = asyncio.Event()
        app = client._transport.app  # type: ignore[attr-defined] # httpx gives no other way to it

        async def receive() -> dict[str, object]:
            if not body:
                await gone.wait()
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": body.pop(), "more_body": False}

        async def send(_message: object) -> None:
            pass

        body = [json.dumps({"inputs": "two"}).encode()]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/predict",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        second = asyncio.create_task(app(scope, receive, send))
        while waiting() != 1:
            await asyncio.sleep(0)
        gone.set()
        await second
        assert waiting() == 0
        models.go.set()
        assert (await first).status_code == 200
        assert [inputs for inputs, _, _ in models.asked] == [["one"]]


async def test_while_inference_is_known_to_be_away_nobody_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.asking.question.AWAY_TIMEOUT_S", 0.01)
    models = AskedModels()
    models.go.clear()
    async with asking(models) as (client, metrics):
        client._transport.app.state.undertone.probes.triton.first_run.set()  # type: ignore[attr-defined] # as above
        answer = await client.post("/predict", json={"inputs": "one"})
        assert (answer.status_code, answer.json()["error_type"]) == (503, "Unhealthy")
        assert metrics.registry.get_sample_value("undertone_inference_texts_at_work") == 0
