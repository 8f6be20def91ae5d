"""The steps of a post's way say what was recorded of it, and nothing that was not."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.api.journey import journey_of
from services.api.queries.journey import Recorded
from services.api.schemas.general import Post
from services.api.schemas.journey import JourneyStep

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
NAMES = ["written", "queued", "read", "tokenized", "inferred_sentiment", "inferred_emotion", "stored", "pushed"]


def at(ms: float) -> datetime:
    return NOON + timedelta(milliseconds=ms)


POST = Post(
    post_id="p", source="reddit", content="c", author="a", created_at=at(-60_000), ingested_at=at(58), sentiment=None
)
ANALYSIS = {
    "model_name": "feelings",
    "model_version": 3,
    "emotion_model_name": "moods",
    "emotion_model_version": 1,
    "analyzed_at": at(57),
}
BATCH = {
    "queued_at": at(0),
    "read_after_ms": 5,
    "worker": "worker-a",
    "posts": 12,
    "tokenized_at": at(10),
    "tokenize_ms": 2.5,
    "sentiment_at": at(40),
    "sentiment_ms": 30.0,
    "sentiment_queue_ms": 3.0,
    "sentiment_compute_ms": 11.000000953674316,
    "sentiment_requests": 2,
    "emotion_at": at(55),
    "emotion_ms": 45.0,
    "emotion_queue_ms": None,
    "emotion_compute_ms": None,
    "emotion_requests": 1,
    "stored_at": at(60),
}


def steps(values: dict[str, Any], pushed_at: datetime | None = None) -> dict[str, JourneyStep]:
    journey = journey_of(Recorded(POST, values), pushed_at)
    assert [step.name for step in journey.steps] == NAMES
    return {step.name: step for step in journey.steps}


def test_every_step_has_its_moment_and_what_it_took_by_itself() -> None:
    found = steps(ANALYSIS | BATCH, pushed_at=at(64))
    assert [found[name].at for name in NAMES] == [at(ms) for ms in (-60_000, 0, 5, 10, 40, 55, 60, 64)]
    assert [found[name].took_ms for name in NAMES] == [None, None, 5, 2.5, 30, 45, 3, 4]
    sentiment, emotion = found["inferred_sentiment"], found["inferred_emotion"]
    assert (sentiment.queue_ms, sentiment.compute_ms) == (3, 11)
    assert (emotion.queue_ms, emotion.compute_ms) == (None, None)
    assert sentiment.detail == "feelings, version 3, in 2 requests"
    assert emotion.detail == "moods, version 1, in one request"


def test_the_whole_is_from_queued_to_pushed() -> None:
    journey = journey_of(Recorded(POST, ANALYSIS | BATCH), at(64))
    assert journey.total_ms == 64
    assert journey.batch is not None
    assert (journey.batch.posts, journey.batch.worker) == (12, "worker-a")
    assert journey_of(Recorded(POST, ANALYSIS | BATCH), None).total_ms is None


def test_of_a_post_from_before_what_is_known_is_shown() -> None:
    """NULL in all that was added, and a LEFT JOIN that found nothing."""
    values = dict.fromkeys(BATCH) | ANALYSIS
    found = steps(values)
    known = {"written": at(-60_000), "stored": at(58)}
    assert {name: step.at for name, step in found.items() if step.at} == known
    assert all(step.took_ms is None for step in found.values())
    assert found["inferred_sentiment"].detail == "feelings, version 3"
    journey = journey_of(Recorded(POST, values), None)
    assert (journey.batch, journey.total_ms) == (None, None)


def test_a_post_without_an_analysis_is_written_and_stored() -> None:
    found = steps({})
    assert [name for name in NAMES if found[name].at] == ["written", "stored"]


def test_what_clocks_disagree_on_is_never_negative() -> None:
    found = steps(ANALYSIS | BATCH | {"stored_at": at(50)}, pushed_at=at(-10))
    assert (found["stored"].took_ms, found["pushed"].took_ms) == (0, 0)
    assert journey_of(Recorded(POST, ANALYSIS | BATCH), at(-10)).total_ms == 0
