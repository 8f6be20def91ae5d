"""From a page of a listing to its things, as Reddit calls submissions and comments, and what each means for us."""

import json
import string
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Any

import msgspec

from services.common.errors import Transient
from services.common.messages import MAX_CONTENT_CHARS, Post, is_blank
from services.ingester.sources.base import Malformed
from services.ingester.sources.files.records import malformed, to_post, unreadable
from services.ingester.sources.filters import Filters
from services.ingester.sources.health import Reason
from services.ingester.sources.plain_text import MAX_HTML_CHARS, plain_text

SOURCE = "reddit"
# What a text, or an author, reads when somebody has taken it away.
TAKEN_AWAY = frozenset({"[deleted]", "[removed]", "[deleted by user]"})
PROGRAMS = frozenset({"AutoModerator"})
BASE = 36
_DIGITS = string.digits + string.ascii_lowercase


class _Data(msgspec.Struct):
    # As t3_1abc9: its kind and, in base 36, a number that grows.
    name: Annotated[str, msgspec.Meta(pattern=r"^t[13]_[0-9a-z]{1,13}$")]
    author: str | None = None
    created_utc: float | None = None
    title: str = ""
    # HTML; None for what has no text, as a picture.
    selftext_html: str | None = None
    body_html: str | None = None


class _Thing(msgspec.Struct):
    data: _Data


class _ListingData(msgspec.Struct):
    children: list[Any]
    after: str | None = None


class _Listing(msgspec.Struct):
    data: _ListingData


class Reading(msgspec.Struct, frozen=True):
    """`key`: the same whenever it is read. `number`: 0 where it has none. A post, or what should have been one, or why
    it is not wanted.
    """

    key: str
    number: int = 0
    item: Post | Malformed | None = None
    skipped: Reason | None = None


class Page(msgspec.Struct, frozen=True):
    """`after`: what the next page is asked for with, None behind the last one. The newest reading is the first."""

    readings: Sequence[Reading]
    after: str | None


def read_page(answer: object, filters: Filters, *, bots: bool) -> Page:
    """Of decoded JSON. Transient where it is no page; of what is in a page nothing raises."""
    try:
        listing = msgspec.convert(answer, _Listing)
    except msgspec.ValidationError as error:
        raise Transient(f"it answered with no listing: {error}") from None
    return Page([_reading(child, filters, bots=bots) for child in listing.data.children], listing.data.after)


def to_base_36(number: int) -> str:
    """As Reddit writes the numbers of things."""
    digits = ""
    while number:
        number, digit = divmod(number, BASE)
        digits = _DIGITS[digit] + digits
    return digits or "0"


def _reading(child: Any, filters: Filters, *, bots: bool) -> Reading:
    try:
        data = msgspec.convert(child, _Thing).data
    except msgspec.ValidationError as error:
        raw = json.dumps(child).encode()
        return Reading(blake2b(raw, digest_size=12).hexdigest(), item=unreadable("wrong_type", str(error), SOURCE, raw))
    number = int(data.name.partition("_")[2], BASE)
    if data.author in PROGRAMS and not bots:
        return Reading(data.name, number, skipped="bot")
    html = data.body_html or data.selftext_html or ""
    fields: dict[str, str | None] = {
        "post_id": f"{SOURCE}:{data.name}",
        "source": SOURCE,
        "author": "" if data.author in TAKEN_AWAY else data.author or "",
        "created_at": _written(data.created_utc),
    }
    if len(html) > MAX_HTML_CHARS:
        error_text = f"content has more than {MAX_HTML_CHARS:,} characters of HTML"
        kept = {name: value or "" for name, value in fields.items()} | {"content": html}
        return Reading(data.name, number, malformed("too_long", error_text, SOURCE, kept))
    body = plain_text(html)
    text = "" if body in TAKEN_AWAY else f"{data.title.strip()}\n\n{body}".strip()
    if is_blank(text) or text in TAKEN_AWAY:
        return Reading(data.name, number, skipped="empty")
    refusal = filters.refusal(text, ())
    if refusal:
        return Reading(data.name, number, skipped=refusal)
    return Reading(data.name, number, to_post(fields | {"content": text[:MAX_CONTENT_CHARS]}, SOURCE))


def _written(created_s: float | None) -> str | None:
    """In ISO 8601; of what is no time, what it is."""
    try:
        return None if created_s is None else datetime.fromtimestamp(created_s, UTC).isoformat()
    except (ValueError, OverflowError):
        return str(created_s)
