"""The steps of a post's way, from what was recorded of it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from services.api.queries.journey import Recorded
from services.api.schemas.journey import Journey, JourneyBatch, JourneyStep
from services.common.moments import MILLISECOND

_MS_DIGITS = 3


def journey_of(recorded: Recorded, pushed_at: datetime | None) -> Journey:
    """Every step; what is not known of it is None. Moments are of several clocks, so no time between two is negative.

    `pushed_at`: when this process handed the post to its browsers, where it remembers that.
    """
    post, values = recorded.post, recorded.values
    queued_at, has_batch = values.get("queued_at"), values.get("worker") is not None
    stored_at = values.get("stored_at") or post.ingested_at
    steps = [
        JourneyStep(name="written", at=post.created_at, detail=f"on {post.source}"),
        JourneyStep(name="queued", at=queued_at),
        _read(queued_at, values.get("read_after_ms")),
        *_inference(values),
        JourneyStep(
            name="stored",
            at=stored_at,
            # The statement began when the batch before it was done.
            took_ms=_between(values.get("analyzed_at"), stored_at) if has_batch else None,
        ),
        JourneyStep(name="pushed", at=pushed_at, took_ms=_between(stored_at, pushed_at) if has_batch else None),
    ]
    return Journey(
        post=post,
        steps=steps,
        batch=JourneyBatch(posts=values["posts"], worker=values["worker"]) if has_batch else None,
        total_ms=_between(queued_at, pushed_at),
    )


def _read(queued_at: datetime | None, after_ms: int | None) -> JourneyStep:
    if queued_at is None or after_ms is None:
        return JourneyStep(name="read", at=None)
    return JourneyStep(name="read", at=queued_at + after_ms * MILLISECOND, took_ms=after_ms)


def _inference(values: Mapping[str, Any]) -> tuple[JourneyStep, JourneyStep, JourneyStep]:
    tokenized = JourneyStep(
        name="tokenized", at=values.get("tokenized_at"), took_ms=_rounded(values.get("tokenize_ms"))
    )
    sentiment = JourneyStep(
        name="inferred_sentiment",
        at=values.get("sentiment_at"),
        took_ms=_rounded(values.get("sentiment_ms")),
        detail=_by(values.get("model_name"), values.get("model_version"), values.get("sentiment_requests")),
        queue_ms=_rounded(values.get("sentiment_queue_ms")),
        compute_ms=_rounded(values.get("sentiment_compute_ms")),
    )
    emotion = JourneyStep(
        name="inferred_emotion",
        at=values.get("emotion_at"),
        took_ms=_rounded(values.get("emotion_ms")),
        detail=_by(
            values.get("emotion_model_name"), values.get("emotion_model_version"), values.get("emotion_requests")
        ),
        queue_ms=_rounded(values.get("emotion_queue_ms")),
        compute_ms=_rounded(values.get("emotion_compute_ms")),
    )
    return tokenized, sentiment, emotion


def _by(model: str | None, version: int | None, requests: int | None) -> str | None:
    """Which version answered; version 0 stands for unknown."""
    if not model:
        return None
    parts = [model, *([f"version {version}"] if version else [])]
    if requests:
        parts.append("in one request" if requests == 1 else f"in {requests} requests")
    return ", ".join(parts)


def _between(earlier: datetime | None, later: datetime | None) -> float | None:
    if earlier is None or later is None:
        return None
    return _rounded(max(0.0, (later - earlier) / timedelta(milliseconds=1)))


def _rounded(value_ms: float | None) -> float | None:
    """Microseconds: single precision has no more digits."""
    return None if value_ms is None else round(value_ms, _MS_DIGITS)
