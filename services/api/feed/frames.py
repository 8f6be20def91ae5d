"""WebSocket frames: what the browser receives, encoded once for all of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from services.api.feed.feed_sample import FeedReport
from services.common.messages import AlertMessage, AnalysedPost
from services.common.moments import EPOCH, MILLISECOND

_encoder = msgspec.json.Encoder()
_TYPE_AT = len('{"type":"')


class SentimentData(msgspec.Struct, frozen=True, kw_only=True):
    """Nested, for the dialect that reads `data.sentiment`."""

    label: str
    sentiment_label: str
    confidence: float
    emotion: str
    emotion_confidence: float
    model_name: str
    model_version: int


class PostData(msgspec.Struct, frozen=True, kw_only=True):
    """Flat and nested at once: clients of either dialect find what they look for. `timestamp`: when it was analysed.

    `queued_at`: when it came into the stream; null where its worker does not say.
    """

    post_id: str
    content: str
    source: str
    author: str
    created_at: datetime
    sentiment_label: str
    confidence_score: float
    emotion: str
    timestamp: datetime
    queued_at: datetime | None
    sentiment: SentimentData


def _encode(frame: Mapping[str, object]) -> str:
    return _encoder.encode(frame).decode()


def kind_of(frame: str) -> str:
    """Its type, which stands first in every frame."""
    return frame[_TYPE_AT : frame.index('"', _TYPE_AT)]


def size_of(frame: str) -> int:
    """Bytes on the line, without the protocol's own."""
    return len(frame) if frame.isascii() else len(frame.encode())


PING = _encode({"type": "ping"})
PONG = _encode({"type": "pong"})


def connected() -> str:
    return _encode({"type": "connected", "message": "Connected to sentiment stream", "timestamp": datetime.now(UTC)})


def new_post(analysed: AnalysedPost) -> str:
    post, analysis = analysed.post, analysed.analysis
    data = PostData(
        post_id=post.post_id,
        content=post.content,
        source=post.source,
        author=post.author,
        created_at=post.created_at,
        sentiment_label=analysis.sentiment_label,
        confidence_score=analysis.confidence,
        emotion=analysis.emotion,
        timestamp=analysed.analysed_at,
        queued_at=None if analysed.queued_ms is None else EPOCH + analysed.queued_ms * MILLISECOND,
        sentiment=SentimentData(
            label=analysis.sentiment_label,
            sentiment_label=analysis.sentiment_label,
            confidence=analysis.confidence,
            emotion=analysis.emotion,
            emotion_confidence=analysis.emotion_confidence,
            model_name=analysis.model_name,
            model_version=analysis.model_version,
        ),
    )
    return _encode({"type": "new_post", "data": data})


def deleted(post_ids: Sequence[str]) -> str:
    """Posts that were deleted: a page that shows one of them takes it away, and shows none that comes later."""
    return _encode({"type": "deleted", "data": {"post_ids": post_ids}})


def alert(message: AlertMessage) -> str:
    """`data` is the row of sentiment_alerts; `change` says whether it was raised, resolved or acknowledged."""
    return _encode({"type": "alert", "change": message.change, "data": message.alert})


def metrics_update(counts: Mapping[str, Mapping[str, int]]) -> str:
    """`counts`: last_minute, last_hour and last_24_hours, each with positive, negative, neutral, total."""
    return _encode({"type": "metrics_update", "data": counts, "timestamp": datetime.now(UTC)})


def feed(report: FeedReport) -> str:
    """Which share of the posts the feed shows: about once a second while it is not all, once when that has ended."""
    data = {
        "sampled": report.sampled,
        "posts": report.posts,
        "shown": report.shown,
        "seconds": round(report.seconds, 3),
    }
    return _encode({"type": "feed", "data": data, "timestamp": datetime.now(UTC)})
