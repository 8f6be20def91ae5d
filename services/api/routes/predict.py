"""`/predict` and `/models/{model}/predict`: a model answers as text-embeddings-inference would."""

from time import perf_counter
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.api.asking.question import ask
from services.api.asking.tei import REQUESTS, RESPONSES, Predictions, PredictRequest, TeiError
from services.api.asking.tei_route import TeiRoute, invalid
from services.api.dependencies import StateDep
from services.api.state import State
from services.api.web.json_body import described, read_json
from services.api.web.unknown import METHODS
from services.common.settings import Settings
from services.inference.scorer import Role, Scores
from services.inference.scoring import probabilities, ranked
from services.inference.tokenizer import Input

router = APIRouter(tags=["inference"], route_class=TeiRoute)

BODY = described(PredictRequest)
BODY["requestBody"]["content"]["application/json"]["examples"] = REQUESTS


@router.post(
    "/predict",
    operation_id="predict",
    summary="Sentiment of texts, as text-embeddings-inference answers",
    response_model=Predictions,
    responses=RESPONSES,
    openapi_extra=BODY,
)
async def predict(state: StateDep, request: Request) -> Response:
    """Of the model in service. `score` is a probability: softmax, or sigmoid where labels do not exclude each other."""
    return await _predict(state, request, "sentiment")


@router.post(
    "/models/{model}/predict",
    operation_id="predictWithModel",
    summary="Either model, as text-embeddings-inference answers",
    response_model=Predictions,
    responses={**RESPONSES, 404: RESPONSES[422] | {"description": "There is no such model"}},
    openapi_extra=BODY,
)
async def predict_with_model(state: StateDep, request: Request, model: Role) -> Response:
    """A client of text-embeddings-inference takes `http://host:8000/models/emotion` for its server."""
    return await _predict(state, request, model)


@router.api_route("/predict", methods=list(METHODS), include_in_schema=False)
@router.api_route("/models/{model}/predict", methods=list(METHODS), include_in_schema=False)
async def other_method(request: Request) -> Response:
    """Without it the dashboard would answer."""
    raise TeiError("Validation", f"Not with {request.method}; POST.", 405, {"Allow": "POST"})


async def _predict(state: State, request: Request, role: Role) -> Response:
    settings = state.settings
    body = await read_json(request, PredictRequest, max_bytes=settings.api_inference_max_body_bytes)
    began = perf_counter()
    inputs = body.sequences()
    characters = _check(inputs, settings, is_batch=body.is_batch)
    asked = await ask(state, request, inputs, [role], body.cut)
    (scores,) = asked.scored.answers
    answers = _predictions(scores, raw=body.raw_scores)
    total_s = perf_counter() - began
    headers = {
        "x-compute-characters": characters,
        "x-compute-tokens": sum(min(count, scores.model.max_tokens) for count in scores.token_counts),
        "x-compute-time": _ms(total_s),
        "x-total-time": _ms(total_s),
        "x-tokenization-time": _ms(asked.scored.tokenize_seconds),
        "x-queue-time": _ms(asked.waited_s),
        "x-inference-time": _ms(scores.seconds),
    }
    return JSONResponse(
        answers if body.is_batch else answers[0], headers={name: str(value) for name, value in headers.items()}
    )


def _check(inputs: list[Input], settings: Settings, *, is_batch: bool) -> int:
    """The number of characters of inputs that are within the limits; in TEI's order and words otherwise."""
    if is_batch and len(inputs) > settings.api_inference_max_texts:
        message = f"batch size {len(inputs)} > maximum allowed batch size {settings.api_inference_max_texts}"
        raise TeiError("Validation", message)
    counts = [len(each) if isinstance(each, str) else len(each[0]) + len(each[1]) for each in inputs]
    if not all(counts):
        raise TeiError("Empty", "Input validation error: `inputs` cannot be empty")
    if max(counts) > settings.api_inference_max_chars:
        reason = f"must have less than {settings.api_inference_max_chars} characters. Given: {max(counts)}"
        raise invalid(f"`inputs` {reason}")
    return sum(counts)


def _predictions(scores: Scores, *, raw: bool) -> list[list[dict[str, Any]]]:
    values = scores.logits if raw else probabilities(scores.logits, scores.model.activation)
    return [
        [{"score": score, "label": label} for label, score in verdicts]
        for verdicts in ranked(values, scores.model.labels)
    ]


def _ms(seconds: float) -> int:
    return int(seconds * 1_000)
