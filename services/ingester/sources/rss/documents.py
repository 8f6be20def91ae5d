"""From a document of RSS or Atom to its entries, and from each that is new to what it means for us."""

import re
from calendar import timegm
from collections.abc import Container, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from io import BytesIO
from typing import Any

import feedparser
import msgspec

from services.common.errors import Transient
from services.common.messages import MAX_AUTHOR_CHARS, MAX_CONTENT_CHARS, Post, is_blank
from services.ingester.sources.base import Malformed
from services.ingester.sources.files.records import to_post
from services.ingester.sources.filters import Filters
from services.ingester.sources.health import Reason
from services.ingester.sources.plain_text import MAX_HTML_CHARS, plain_text
from services.ingester.sources.rss.position import MAX_ENTRIES

SOURCE = "rss"
HTML = frozenset({"text/html", "application/xhtml+xml"})
# It ends every document: without it the rest is missing. Some have comments behind it.
_END = re.compile(rb"</(?:[\w-]+:)?(?:rss|feed|rdf)\s*>", re.IGNORECASE)
END_BYTES = 500


class _Text(msgspec.Struct):
    value: str = ""
    type: str = "text/plain"
    language: str | None = None


class _Entry(msgspec.Struct):
    id: str = ""
    link: str = ""
    title_detail: _Text = msgspec.field(default_factory=_Text)
    summary_detail: _Text | None = None
    content: list[_Text] = []
    author: str = ""
    # A struct_time, in UTC; None for what is no time.
    published_parsed: Any = None
    updated_parsed: Any = None


class _Feed(msgspec.Struct):
    title: str = ""
    language: str = ""


class Reading(msgspec.Struct, frozen=True):
    """A post, or what should have been one, or why it is not wanted."""

    item: Post | Malformed | None = None
    skipped: Reason | None = None


class Document(msgspec.Struct, frozen=True):
    """`keys`: what tells the entries of a feed from each other, in their order; `new`: those that are not known, the
    oldest first; `left`: so many more entries were not looked at.
    """

    keys: list[str]
    new: list[Reading]
    left: int = 0


def read_document(
    body: bytes, content_type: str, *, feed_name: str, filters: Filters, known: Container[str], now: datetime
) -> Document:
    """Transient where it is no feed, or the end of it is missing. Up to ten seconds a megabyte, of what is hostile."""
    parsed = _parsed(body, content_type)
    if not parsed.get("version") and not parsed.entries:
        raise Transient("it answered with no feed")
    # What is not well-formed is read all the same, as far as it goes; half an entry would be given for a whole one.
    if parsed.bozo and not _END.search(body[-END_BYTES:].replace(b"\x00", b"")):
        raise Transient("the end of the feed is missing")
    feed = msgspec.convert(_given(parsed.feed), _Feed)
    keys, new = [], {}
    for raw in parsed.entries[:MAX_ENTRIES]:
        entry = msgspec.convert(_given(raw), _Entry)
        key = _key(feed_name, entry)
        keys.append(key)
        if key not in known and key not in new:
            new[key] = _reading(entry, key, feed, feed_name=feed_name, filters=filters, now=now)
    return Document(keys, [*new.values()][::-1], max(len(parsed.entries) - MAX_ENTRIES, 0))


def _parsed(body: bytes, content_type: str) -> Any:
    try:
        # A stream: what is given as text may be taken for the name of a file.
        return feedparser.parse(
            BytesIO(body),
            response_headers={"content-type": content_type},
            resolve_relative_uris=False,
            sanitize_html=False,
        )
    except Exception as error:
        # Of what is far from well-formed it raises whatever it stumbles over: characters and encodings that are none.
        raise Transient(f"the feed cannot be read: {error}") from error


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without those of which the parser found the element and nothing in it."""
    return {name: value for name, value in fields.items() if value is not None}


def _key(feed_name: str, entry: _Entry) -> str:
    """Of what the feed says tells it from others; an id need not be anybody else's as well."""
    own = (entry.id or entry.link,) if entry.id or entry.link else (entry.title_detail.value, _body(entry).value)
    digest = blake2b(digest_size=12)
    for part in (feed_name, *own):
        encoded = part.encode("utf-8", "replace")
        # With the length in front, no two different entries read as the same bytes.
        digest.update(b"%d:" % len(encoded) + encoded)
    return digest.hexdigest()


def _reading(entry: _Entry, key: str, feed: _Feed, *, feed_name: str, filters: Filters, now: datetime) -> Reading:
    title, body = _plain(entry.title_detail), _plain(_body(entry))
    # Where people write without titles, programs make one of the beginning.
    text = body if body.startswith(title.removesuffix("…").removesuffix("...")) else f"{title}\n\n{body}".strip()
    languages = [each for each in (_body(entry).language, entry.title_detail.language, feed.language) if each]
    refusal = filters.refusal(text, languages[:1])
    if refusal:
        return Reading(skipped=refusal)
    if is_blank(text):
        return Reading(skipped="empty")
    fields = {
        "post_id": f"{SOURCE}:{key}",
        "source": SOURCE,
        "content": text[:MAX_CONTENT_CHARS],
        "author": (_author(entry.author) or feed.title)[:MAX_AUTHOR_CHARS],
        "created_at": _written(entry, now).isoformat(),
    }
    return Reading(to_post(fields, feed_name))


def _body(entry: _Entry) -> _Text:
    """The summary, if there is one: an article of many pages has no one mood."""
    return entry.summary_detail or (entry.content[0] if entry.content else _Text())


def _plain(text: _Text) -> str:
    """Of what is longer than may be parsed, the beginning."""
    return plain_text(text.value[:MAX_HTML_CHARS]) if text.type in HTML else text.value.strip()


def _author(text: str) -> str:
    """Of "toad@news.example (Toad)" the name, and of an address alone nothing: nobody has to be reached."""
    parts = re.split(r"[()<>]", text) if "@" in text else [text]
    return next((part.strip() for part in parts if part.strip() and "@" not in part), "")


def _written(entry: _Entry, now: datetime) -> datetime:
    """Not in the future, where nobody would find it; now, where the feed names no time."""
    parsed = entry.published_parsed or entry.updated_parsed
    try:
        return min(datetime.fromtimestamp(timegm(parsed), UTC), now) if parsed else now
    except (ValueError, OverflowError):  # a year that no calendar has
        return now
