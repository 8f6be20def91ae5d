"""From the fields of one line to a post, or to a dead letter that says what is wrong with it.

A recording has to be the same post the second time, so that replaying it twice changes nothing:

- a record without `post_id` gets one that is derived from its other fields, equal for equal records;
- a record without `created_at` is refused. The time of reading would place old posts in today's charts, and another
  time at every replay.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b

from services.common.errors import MalformedPost
from services.common.messages import MAX_CONTENT_CHARS, Post, make_post
from services.ingester.sources.base import Malformed

# What a dead letter keeps of a field that is longer than it may be: enough to see what is wrong.
MAX_KEPT_CHARS = 4_000
FIELDS = ("post_id", "source", "content", "author", "created_at")
ALIASES = {"platform": "source", "text": "content"}


def to_post(fields: Mapping[str, str | None], place: str, created_at: datetime | None = None) -> Post | Malformed:
    """The post of `fields`, named as in FIELDS; `place` ("posts.csv line 7") goes into the dead letter's error.

    `created_at`: in UTC, in place of the field, for who has no text of it.
    """
    try:
        return post_of(fields, created_at)
    except MalformedPost as error:
        kept = {name: value or "" for name, value in fields.items()}
        if created_at is not None:
            kept["created_at"] = created_at.isoformat()
        return malformed(error.reason, str(error), place, kept)


def post_of(fields: Mapping[str, str | None], created_at: datetime | None = None) -> Post:
    """The same; MalformedPost says what is wrong."""
    for name, value in fields.items():
        if value is not None and not _encodable(value):
            raise MalformedPost("invalid_utf8", f"{name} has characters that are not valid UTF-8", name)
    return make_post(
        post_id=fields.get("post_id") or derived_post_id(fields),
        source=fields.get("source"),
        content=fields.get("content"),
        author=fields.get("author"),
        created_at=created_at or fields.get("created_at"),
    )


def malformed(reason: str, message: str, place: str, fields: Mapping[str, str]) -> Malformed:
    kept = {name: _kept(name, value) for name, value in fields.items()}
    cut = tuple(name for name, value in fields.items() if kept[name] != value)
    return Malformed(reason, f"{place}: {message}", kept, cut)


def unreadable(reason: str, message: str, place: str, raw: bytes) -> Malformed:
    """A dead letter for a line that has no fields: it keeps the line's beginning as `line`."""
    letter = malformed(
        reason, message, place, {"line": raw[: 4 * MAX_KEPT_CHARS].decode("utf-8", "replace").rstrip("\r\n")}
    )
    whole = letter.fields["line"].encode() == raw.rstrip(b"\r\n")
    return letter if whole else replace(letter, cut=("line",))


def derived_post_id(fields: Mapping[str, str | None]) -> str:
    """ "replay-" and 128 bits of a hash of source, author, time and content as they stand in the file."""
    digest = blake2b(digest_size=16)
    for name in ("source", "author", "created_at", "content"):
        value = (fields.get(name) or "").encode()
        # With the length in front, no two different records read as the same bytes.
        digest.update(b"%d:" % len(value) + value)
    return f"replay-{digest.hexdigest()}"


def _encodable(text: str) -> bool:
    """Without lone surrogates: half characters that JSON can spell and neither Redis nor PostgreSQL can store."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kept(name: str, value: str) -> str:
    whole = name == "content" and len(value) <= MAX_CONTENT_CHARS
    return (value if whole else value[:MAX_KEPT_CHARS]).encode("utf-8", "replace").decode("utf-8")
