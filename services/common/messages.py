"""What travels through Redis: posts in the stream, results on the channel. One encoder and one decoder each.

A stream entry holds `post_id, source, content, author, created_at`; `platform` is accepted for `source` and `text`
for `content`. Everything is validated here, so that nobody behind this module meets a malformed post.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

from services.common.errors import MalformedPost

MAX_POST_ID_CHARS = 255
MAX_SOURCE_CHARS = 50
MAX_AUTHOR_CHARS = 255
# Reddit's own limit for a post; the longest of the sources that we know.
MAX_CONTENT_CHARS = 40_000
MAX_MODEL_NAME_CHARS = 100


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """A social post as it was published."""

    post_id: str
    source: str
    content: str
    author: str
    created_at: datetime


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """What both models say of one text. Confidences are probabilities, 0 to 1.

    `model_name` and `model_version` are the sentiment model's. Version 0 and an empty name stand for unknown: a worker
    from before versions were recorded sends neither.
    """

    model_name: str
    sentiment_label: str
    confidence: float
    emotion: str
    emotion_confidence: float
    model_version: int = 0
    emotion_model_name: str = ""
    emotion_model_version: int = 0


class AnalysedPost(msgspec.Struct, frozen=True, kw_only=True):
    """A stored post with its analysis."""

    post: Post
    analysis: Analysis
    analysed_at: datetime


class ResultsMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="results"):
    """One stored batch, on the channel `sentiment_updates`."""

    posts: tuple[AnalysedPost, ...]


class AlertMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="alert"):
    """An alert that was raised or resolved, on the same channel: every API process shows it."""

    change: Literal["raised", "resolved"]
    alert: dict[str, object]


_encoder = msgspec.json.Encoder()
ChannelMessage: TypeAlias = ResultsMessage | AlertMessage
_channel_decoder: msgspec.json.Decoder[ChannelMessage] = msgspec.json.Decoder(ResultsMessage | AlertMessage)


def encode_message(message: ResultsMessage | AlertMessage) -> bytes:
    return _encoder.encode(message)


def decode_message(raw: bytes) -> ResultsMessage | AlertMessage:
    """ValueError (msgspec's DecodeError or ValidationError) if it is none of ours."""
    return _channel_decoder.decode(raw)


def encode_post(post: Post) -> dict[str, str]:
    """The fields of the post's stream entry."""
    return {
        "post_id": post.post_id,
        "source": post.source,
        "content": post.content,
        "author": post.author,
        "created_at": post.created_at.isoformat(),
    }


def decode_post(fields: Mapping[bytes, bytes]) -> Post:
    """The post of a stream entry. MalformedPost says which field is wrong, and how."""
    text = {
        name: _text(name, fields.get(name.encode()), fields.get(alias.encode())) for name, alias in _ALIASES.items()
    }
    return make_post(**text)


_ALIASES = {
    "post_id": "post_id",
    "source": "platform",
    "content": "text",
    "author": "author",
    "created_at": "created_at",
}


def make_post(
    *, post_id: str | None, source: str | None, content: str | None, author: str | None, created_at: str | None
) -> Post:
    """A validated post. The author may be absent; MalformedPost says what else is wrong."""
    return Post(
        post_id=_bounded("post_id", post_id, MAX_POST_ID_CHARS),
        source=_bounded("source", source, MAX_SOURCE_CHARS),
        content=_bounded("content", content, MAX_CONTENT_CHARS),
        author=_bounded("author", author, MAX_AUTHOR_CHARS) if author else "",
        created_at=_timestamp(created_at),
    )


def _text(name: str, raw: bytes | None, alias: bytes | None) -> str | None:
    raw = alias if raw is None else raw
    if raw is None:
        return None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedPost("invalid_utf8", f"{name} is not UTF-8: {error.reason} at byte {error.start}") from None


def _bounded(name: str, value: str | None, limit: int) -> str:
    if value is None:
        raise MalformedPost("missing_field", f"{name} is missing")
    if not value or value.isspace():
        raise MalformedPost("empty_field", f"{name} is empty")
    if len(value) > limit:
        raise MalformedPost("too_long", f"{name} has {len(value):,} characters, more than {limit:,}")
    if "\x00" in value:
        raise MalformedPost("nul_character", f"{name} has a NUL character, which PostgreSQL cannot store")
    return value


def _timestamp(value: str | None) -> datetime:
    if not value:
        raise MalformedPost("missing_field", "created_at is missing")
    try:
        moment = datetime.fromisoformat(value)
        # A moment without an offset is UTC, as every source that leaves it out means it.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedPost("invalid_timestamp", f"created_at is no ISO 8601 time: {value[:40]!r}") from None
