"""What travels through Redis: posts in the stream, results on the channel. One encoder and one decoder each.

A stream entry holds `post_id, source, content, author, created_at`; `platform` is accepted for `source` and `text`
for `content`; where both are there, the name counts. Other fields are nobody's (`traceparent` is that of a post that
is traced). An entry whose `type` is `delete` says that the post of its `post_id` is deleted, or, without a `post_id`,
everything that its `author` wrote at its `source` up to the time `until`; with any other `type`, or none, it is a post.
Everything is validated here, so that nobody behind this module meets a malformed post.
"""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

import msgspec

from services.common.errors import MalformedPost

MAX_POST_ID_CHARS = 255
MAX_SOURCE_CHARS = 50
MAX_AUTHOR_CHARS = 255
# Reddit's own limit for a post; the longest of the sources that we know.
MAX_CONTENT_CHARS = 40_000
MAX_MODEL_NAME_CHARS = 100
# Far more than an alert's details need; decoding goes deeper than encoding for the browsers could follow.
MAX_ALERT_LEVELS = 16
# The last millisecond that a datetime can hold: an id of a stream may be any number.
MAX_EPOCH_MS = 253_402_300_799_999
# The field `type` of an entry that is no post.
DELETE = b"delete"


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """A social post as it was published."""

    post_id: str
    source: str
    content: str
    author: str
    created_at: datetime


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """A post that its author has deleted, whether it was published here before, is on its way, or comes later."""

    post_id: str


class AuthorDeletion(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an author wrote at a source up to a moment is deleted, wherever it is, as by a Deletion of each.

    Who comes again later keeps what is written then.
    """

    source: str
    author: str
    until: datetime


Published: TypeAlias = Post | Deletion | AuthorDeletion


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
    """A stored post with its analysis.

    `queued_ms`: when it came into the stream, in milliseconds since the epoch by Redis's clock. None where that is not
    known: a worker from before it was recorded does not send it.
    """

    post: Post
    analysis: Analysis
    analysed_at: datetime
    queued_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_EPOCH_MS)] | None = None


class ResultsMessage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="results"):
    """One stored batch, on the channel `sentiment_updates`. `traceparent`: of the span that sent it, if one did.

    `posts` is always there, so that an API of the version before takes a message that only says what was deleted.
    `deleted`: ids of posts that were deleted; that API does not look at them.
    """

    posts: tuple[AnalysedPost, ...]
    deleted: tuple[str, ...] = ()
    traceparent: str | None = None


class AlertMessage(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="alert"):
    """An alert that was raised, resolved or acknowledged, on the same channel: every API process shows it.

    `acknowledged`: also when that was taken back. An API of the version before skips it as a message it does not know.
    """

    change: Literal["raised", "resolved", "acknowledged"]
    alert: dict[str, object]


_encoder = msgspec.json.Encoder()
ChannelMessage: TypeAlias = ResultsMessage | AlertMessage
_channel_decoder: msgspec.json.Decoder[ChannelMessage] = msgspec.json.Decoder(ResultsMessage | AlertMessage)


def encode_message(message: ResultsMessage | AlertMessage) -> bytes:
    return _encoder.encode(message)


def decode_message(raw: bytes) -> ResultsMessage | AlertMessage:
    """ValueError (msgspec's DecodeError or ValidationError) if it is none of ours."""
    try:
        message = _channel_decoder.decode(raw)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if isinstance(message, AlertMessage) and not _is_within(message.alert, MAX_ALERT_LEVELS):
        raise ValueError(f"its alert has more than {MAX_ALERT_LEVELS} levels")
    return message


def _is_within(value: object, levels: int) -> bool:
    """Whether a value of JSON is nested no deeper than that."""
    if not isinstance(value, dict | list):
        return True
    parts = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_within(part, levels - 1) for part in parts)


def encode_post(post: Post) -> dict[str, str]:
    """The fields of the post's stream entry."""
    return {
        "post_id": post.post_id,
        "source": post.source,
        "content": post.content,
        "author": post.author,
        "created_at": post.created_at.isoformat(),
    }


def encode_deletion(deletion: Deletion | AuthorDeletion) -> dict[str, str]:
    """The fields of its stream entry."""
    if isinstance(deletion, Deletion):
        return {"type": DELETE.decode(), "post_id": deletion.post_id}
    return {
        "type": DELETE.decode(),
        "source": deletion.source,
        "author": deletion.author,
        "until": deletion.until.isoformat(),
    }


def decode_entry(fields: Mapping[bytes, bytes]) -> Published:
    """What a stream entry says. MalformedPost says which field is wrong, and how."""
    if fields.get(b"type") != DELETE:
        return decode_post(fields)
    if b"post_id" in fields or b"author" not in fields:
        return make_deletion(_text("post_id", fields.get(b"post_id"), None))
    source, author, until = (_text(name, fields.get(name.encode()), None) for name in ("source", "author", "until"))
    return make_author_deletion(source=source, author=author, until=_timestamp(until, "until"))


def make_deletion(post_id: str | None) -> Deletion:
    """A validated deletion; MalformedPost says what is wrong."""
    return Deletion(post_id=_bounded("post_id", post_id, MAX_POST_ID_CHARS))


def make_author_deletion(*, source: str | None, author: str | None, until: datetime) -> AuthorDeletion:
    """A validated one; MalformedPost says what is wrong."""
    return AuthorDeletion(
        source=_bounded("source", source, MAX_SOURCE_CHARS),
        author=_bounded("author", author, MAX_AUTHOR_CHARS),
        until=until,
    )


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
    *,
    post_id: str | None,
    source: str | None,
    content: str | None,
    author: str | None,
    created_at: str | datetime | None,
) -> Post:
    """A validated post; `created_at` in ISO 8601, or a moment in UTC. The author may be absent, or a name of which
    nothing is seen; MalformedPost says what else is wrong.
    """
    return Post(
        post_id=_bounded("post_id", post_id, MAX_POST_ID_CHARS),
        source=_bounded("source", source, MAX_SOURCE_CHARS),
        content=_bounded("content", content, MAX_CONTENT_CHARS),
        author=_bounded("author", author, MAX_AUTHOR_CHARS, may_be_blank=True) if author else "",
        created_at=_timestamp(created_at),
    )


def _text(name: str, raw: bytes | None, alias: bytes | None) -> str | None:
    raw = alias if raw is None else raw
    if raw is None:
        return None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"{name} is not UTF-8: {error.reason} at byte {error.start}"
        raise MalformedPost("invalid_utf8", message, name) from None


def _bounded(name: str, value: str | None, limit: int, *, may_be_blank: bool = False) -> str:
    if value is None:
        raise MalformedPost("missing_field", f"{name} is missing", name)
    if len(value) > limit:
        raise MalformedPost("too_long", f"{name} has {len(value):,} characters, more than {limit:,}", name)
    if "\x00" in value:
        raise MalformedPost("nul_character", f"{name} has a NUL character, which PostgreSQL cannot store", name)
    if is_blank(value):
        if may_be_blank:
            return ""
        raise MalformedPost("empty_field", f"{name} is empty, or nothing of it is seen", name)
    return value


# White space, control characters, and format characters: zero widths, marks of direction, tags.
_UNSEEN = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})


def is_blank(text: str) -> bool:
    """Whether nothing of it is seen: then it says nothing to a reader, and nothing to a model.

    A character that this Python's Unicode does not know yet may be an emoji of next year, and counts as seen.
    """
    # A generator for `all` would cost three times as much, for text that nearly always begins with something.
    for char in text:  # noqa: SIM110 # for the same reason
        if unicodedata.category(char) not in _UNSEEN:
            return False
    return True


# The first and the last that a datetime can hold. Producers in Go and .NET write the first where they have no time, and
# asyncpg stores both as infinity, which is none either.
_NO_MOMENTS = frozenset({datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)})


def _timestamp(value: str | datetime | None, name: str = "created_at") -> datetime:
    if not value:
        raise MalformedPost("missing_field", f"{name} is missing", name)
    if isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(value)
        # A moment without an offset is UTC, as every source that leaves it out means it.
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{name} is no ISO 8601 time: {value[:40]!r}"
        raise MalformedPost("invalid_timestamp", message, name) from None
    if moment in _NO_MOMENTS:
        raise MalformedPost("invalid_timestamp", f"{name} stands for no time: {value[:40]!r}", name)
    return moment
