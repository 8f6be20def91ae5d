"""From an item, as Hacker News calls stories, comments and all else, to what it means for us."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from services.common.messages import Post, is_blank
from services.ingester.sources.base import Malformed
from services.ingester.sources.files.records import malformed, to_post, unreadable
from services.ingester.sources.filters import Filters
from services.ingester.sources.health import Reason
from services.ingester.sources.plain_text import MAX_HTML_CHARS, plain_text

SOURCE = "hackernews"
# What people write; a job is an advertisement, and a poll's options are a few words each.
KINDS = frozenset({"story", "comment", "poll"})
# No item says its language; the site declares this one for all its pages.
LANGUAGES = ("en",)
# In place of the text, while the author has it held back for some minutes.
HELD_BACK = "[delayed]"

# Up to the year 9999.
EpochSeconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]


class _Item(msgspec.Struct):
    type: str = ""
    by: str = ""
    time: EpochSeconds | None = None
    title: str = ""
    text: str = ""
    deleted: bool = False
    dead: bool = False


_items = msgspec.json.Decoder(_Item | None)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Reading(msgspec.Struct, frozen=True):
    """One of these: a post or what should have been one, the id of a deleted one, or why it is not wanted."""

    item: Post | Malformed | None = None
    deleted: str | None = None
    skipped: Reason | None = None


def read_item(raw: bytes, item_id: int, filters: Filters) -> Reading | None:
    """None: it is not there yet. Raises nothing, whatever it is."""
    place = f"item {item_id}"
    try:
        item = _items.decode(raw)
    except _UNREADABLE as error:
        return Reading(_unreadable(error, place, raw))
    if item is None or item.text == HELD_BACK:
        return None
    post_id = f"{SOURCE}:{item_id}"
    # A deleted item has lost all else.
    if item.deleted:
        return Reading(deleted=post_id)
    if item.dead or item.type not in KINDS:
        return Reading(skipped="dead" if item.dead else "kind")
    fields = {
        "post_id": post_id,
        "source": SOURCE,
        "author": item.by,
        "created_at": "" if item.time is None else datetime.fromtimestamp(item.time, UTC).isoformat(),
    }
    return _written(item, fields, filters, place)


def _written(item: _Item, fields: Mapping[str, str], filters: Filters, place: str) -> Reading:
    if len(item.title) + len(item.text) > MAX_HTML_CHARS:
        error = f"content has more than {MAX_HTML_CHARS:,} characters of HTML"
        return Reading(malformed("too_long", error, place, {**fields, "content": item.text}))
    text = f"{plain_text(item.title)}\n\n{plain_text(item.text)}".strip()
    refusal = filters.refusal(text, LANGUAGES)
    if refusal:
        return Reading(skipped=refusal)
    if is_blank(text):
        return Reading(skipped="empty")
    return Reading(to_post({**fields, "content": text}, place))


def _unreadable(error: Exception, place: str, raw: bytes) -> Malformed:
    if isinstance(error, msgspec.ValidationError):
        return unreadable("wrong_type", str(error), place, raw)
    return unreadable("invalid_json", f"the item is no JSON object: {error}", place, raw)
