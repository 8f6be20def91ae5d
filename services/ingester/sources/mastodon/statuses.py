"""From a status, as Mastodon calls a post, and from a message of its stream to what they mean for us."""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from services.common.messages import Post, is_blank
from services.ingester.sources.base import Malformed
from services.ingester.sources.files.records import malformed, to_post, unreadable
from services.ingester.sources.filters import Filters
from services.ingester.sources.health import Reason
from services.ingester.sources.plain_text import MAX_HTML_CHARS, plain_text

SOURCE = "mastodon"

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class _Account(msgspec.Struct):
    acct: str = ""
    bot: bool = False


class _Shared(msgspec.Struct):
    content: str = ""
    spoiler_text: str = ""
    language: str | None = None


class _Status(_Shared, kw_only=True):
    id: Name
    created_at: str = ""
    account: _Account = msgspec.field(default_factory=_Account)
    reblog: _Shared | None = None


class _Id(msgspec.Struct):
    id: Name


class _Message(msgspec.Struct):
    event: str
    payload: str = ""


_statuses = msgspec.json.Decoder(_Status)
_ids = msgspec.json.Decoder(_Id)
_messages = msgspec.json.Decoder(_Message)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True)
class Wanted:
    """`reblogs`: also posts that somebody shares, as posts of their own; `bots`: also of accounts that say they are."""

    filters: Filters
    reblogs: bool = False
    bots: bool = False


class Reading(msgspec.Struct, frozen=True):
    """`status_id`: of a new status, None where there is none. One of the others, or none: a post or what should have
    been one, the id of a deleted one, or why it is not wanted.
    """

    status_id: str | None = None
    item: Post | Malformed | None = None
    deleted: str | None = None
    skipped: Reason | None = None


def read_message(raw: bytes, host: str, wanted: Wanted) -> Reading:
    """Of the stream. Raises nothing, whatever it is."""
    try:
        message = _messages.decode(raw)
    except _UNREADABLE as error:
        return Reading(item=_unreadable(error, host, raw))
    if message.event == "update":
        return read_status(message.payload.encode("utf-8", "replace"), host, wanted)
    if message.event == "delete" and message.payload:
        return Reading(deleted=post_id(host, message.payload))
    return Reading(skipped="update" if message.event == "status.update" else None)


def read_status(raw: bytes, host: str, wanted: Wanted) -> Reading:
    """Of a timeline. Raises nothing, whatever it is."""
    try:
        status = _statuses.decode(raw)
    except _UNREADABLE as error:
        return Reading(_id_of(raw), _unreadable(error, host, raw))
    if status.reblog is not None and not wanted.reblogs:
        return Reading(status.id, skipped="reblog")
    if status.account.bot and not wanted.bots:
        return Reading(status.id, skipped="bot")
    return _post(status, host, wanted.filters)


def post_id(host: str, status_id: str) -> str:
    """Ids are a server's own, also of posts that come from others: that is what deletions name."""
    return f"{SOURCE}:{host}/{status_id}"


def _post(status: _Status, host: str, filters: Filters) -> Reading:
    written = status.reblog or status
    fields = {
        "post_id": post_id(host, status.id),
        "source": SOURCE,
        "author": status.account.acct
        and (status.account.acct if "@" in status.account.acct else f"{status.account.acct}@{host}"),
        "created_at": status.created_at,
    }
    if len(written.content) + len(written.spoiler_text) > MAX_HTML_CHARS:
        error = f"content has more than {MAX_HTML_CHARS:,} characters of HTML"
        return Reading(status.id, malformed("too_long", error, host, fields | {"content": written.content}))
    warning, text = written.spoiler_text.strip(), plain_text(written.content)
    text = f"{warning}\n\n{text}".strip() if warning else text
    refusal = filters.refusal(text, [written.language] if written.language else [])
    if refusal:
        return Reading(status.id, skipped=refusal)
    if is_blank(text):
        return Reading(status.id, skipped="empty")
    return Reading(status.id, to_post(fields | {"content": text}, host))


def _id_of(raw: bytes) -> str | None:
    try:
        return _ids.decode(raw).id
    except _UNREADABLE:
        return None


def _unreadable(error: Exception, host: str, raw: bytes) -> Malformed:
    if isinstance(error, msgspec.ValidationError):
        return unreadable("wrong_type", str(error), host, raw)
    return unreadable("invalid_json", f"the message is no JSON object: {error}", host, raw)
