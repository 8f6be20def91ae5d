"""`/api/analyze`: both models on somebody's own texts, as they would judge a post."""

import random
from collections.abc import Sequence
from functools import partial
from time import perf_counter

from fastapi import APIRouter, HTTPException, Request

from services.api.asking.question import ask
from services.api.dependencies import StateDep
from services.api.schemas.analyze import (
    REQUESTS,
    AnalyzeAnswer,
    AnalyzeRequest,
    LabelScore,
    TextAnalysis,
    Timing,
    Verdict,
)
from services.api.schemas.general import ErrorBody
from services.api.web.admission import RETRY_AFTER_S, Busy
from services.api.web.errors import InvalidParameter
from services.api.web.json_body import REFUSALS, described, read_json
from services.common.settings import Settings
from services.inference.classifier import Score
from services.inference.scorer import ROLES, Scores
from services.inference.scoring import emotions, probabilities, ranked, sentiment_names, sentiments

router = APIRouter(tags=["inference"])

BODY = described(AnalyzeRequest)
BODY["requestBody"]["content"]["application/json"]["examples"] = REQUESTS


@router.post(
    "/api/analyze",
    operation_id="analyze",
    summary="Sentiment and emotion of your own texts",
    responses={
        **{status: refusal for status, refusal in REFUSALS.items() if status != 403},
        422: {
            "model": ErrorBody,
            "description": "Not what the schema says, more than the limits, or refused by a model",
        },
        503: {"model": ErrorBody, "description": "Triton is away"},
    },
    openapi_extra=BODY,
)
async def analyze(state: StateDep, request: Request) -> AnalyzeAnswer:
    """As a post with such a text would be judged, by the models in service. What is longer than they take is cut."""
    settings = state.settings
    body = await read_json(request, AnalyzeRequest, max_bytes=settings.api_inference_max_body_bytes)
    began = perf_counter()
    _check(body.all, settings)
    try:
        asked = await ask(state, request, body.all, ROLES, "right")
    except Busy:
        detail = "Too many requests at once; try again in a moment."
        raise HTTPException(429, detail, {"Retry-After": str(random.choice(RETRY_AFTER_S))}) from None
    sentiment, emotion = asked.scored.answers
    names = sentiment_names(sentiment.model.labels)
    as_sentiments = partial(sentiments, neutral_below=settings.neutral_below)
    both = zip(
        sentiment.token_counts,
        emotion.token_counts,
        _verdicts(sentiment, names, as_sentiments),
        _verdicts(emotion, emotion.model.labels, emotions),
        strict=True,
    )
    results = [
        TextAnalysis(
            text_tokens=count,
            truncated=count > sentiment.model.max_tokens or other_count > emotion.model.max_tokens,
            sentiment=of_sentiment,
            emotion=of_emotion,
        )
        for count, other_count, of_sentiment, of_emotion in both
    ]
    timing = Timing(
        tokenize_ms=_ms(asked.scored.tokenize_seconds),
        sentiment_ms=_ms(sentiment.seconds),
        emotion_ms=_ms(emotion.seconds),
        total_ms=_ms(perf_counter() - began),
    )
    return AnalyzeAnswer(results=results, timing=timing)


def _check(texts: Sequence[str], settings: Settings) -> None:
    if len(texts) > settings.api_inference_max_texts:
        raise InvalidParameter(
            f"texts: {len(texts):,} of them, and at most {settings.api_inference_max_texts:,} may be"
        )
    longest = max(map(len, texts))
    if longest > settings.api_inference_max_chars:
        reason = f"{longest:,} characters, and at most {settings.api_inference_max_chars:,} may be"
        raise InvalidParameter(f"{'texts' if len(texts) > 1 else 'text'}: {reason}")


def _verdicts(scores: Scores, names: Sequence[str], verdicts_of: Score) -> list[Verdict]:
    every_score = ranked(probabilities(scores.logits, scores.model.activation), names)
    return [
        Verdict(
            label=label,
            confidence=all_scores[0][1],
            scores=[LabelScore(label=name, score=score) for name, score in all_scores],
            model_name=scores.model.source,
            model_version=scores.model.version,
        )
        for (label, _), all_scores in zip(verdicts_of(scores.model, scores.logits), every_score, strict=True)
    ]


def _ms(seconds: float) -> float:
    return round(seconds * 1_000, 3)
