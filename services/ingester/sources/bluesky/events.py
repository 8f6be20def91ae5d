"""From one message of Jetstream to what it means for us."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from services.common.errors import MalformedPost
from services.common.messages import AuthorDeletion, Post, is_blank, make_author_deletion
from services.common.moments import EPOCH
from services.ingester.sources.base import Malformed
from services.ingester.sources.files.records import to_post, unreadable
from services.ingester.sources.filters import Filters
from services.ingester.sources.health import Reason

POSTS = "app.bsky.feed.post"
SOURCE = "bluesky"
# What an account is that is closed for good, by its owner or by moderators. One that is "deactivated" or "suspended"
# may come back with its posts, of which no event tells then.
CLOSED = frozenset({"deleted", "takendown"})
# The last microsecond that a datetime can hold.
MAX_TIME_US = 253_402_300_799_999_999

Name = Annotated[str, msgspec.Meta(min_length=1)]


class _Commit(msgspec.Struct):
    operation: str
    collection: str
    rkey: Name
    # Read only where it is a post's: records of other collections have other types under the same names.
    record: msgspec.Raw = msgspec.Raw()


class _Account(msgspec.Struct):
    active: bool
    status: str | None = None


class _Event(msgspec.Struct):
    did: Name
    time_us: Annotated[int, msgspec.Meta(ge=1, le=MAX_TIME_US)]
    kind: str
    commit: _Commit | None = None
    account: _Account | None = None


class _Record(msgspec.Struct):
    text: str = ""
    langs: list[str] | None = None


_events = msgspec.json.Decoder(_Event)
_records = msgspec.json.Decoder(_Record)


class Reading(msgspec.Struct, frozen=True):
    """`time_us`: by the clock of the server, None where the message is no event. One of the others, or none: a new
    post or what should have been one, the id of a deleted one, an author of whom all are deleted, or why it is not
    wanted.
    """

    time_us: int | None = None
    item: Post | Malformed | None = None
    deleted: str | None = None
    skipped: Reason | None = None
    deleted_author: AuthorDeletion | None = None


def read(raw: bytes, filters: Filters) -> Reading:
    """What the message says. Raises nothing, whatever it is."""
    try:
        event = _events.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Reading(item=_unreadable(error, SOURCE, raw))
    if event.kind == "account" and event.account is not None:
        return _account(event, event.account, raw)
    if event.kind == "commit" and event.commit is not None and event.commit.collection == POSTS:
        return _commit(event, event.commit, filters, raw)
    return Reading(event.time_us)


def _commit(event: _Event, commit: _Commit, filters: Filters, raw: bytes) -> Reading:
    post_id = f"at://{event.did}/{POSTS}/{commit.rkey}"
    if commit.operation == "delete":
        return Reading(event.time_us, deleted=post_id)
    if commit.operation != "create":
        # The first that is stored of a post stays.
        return Reading(event.time_us, skipped="update")
    try:
        record = _records.decode(commit.record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Reading(event.time_us, _unreadable(error, post_id, raw))
    return _created(event, record, post_id, filters)


def _account(event: _Event, account: _Account, raw: bytes) -> Reading:
    if account.active or account.status not in CLOSED:
        return Reading(event.time_us)
    try:
        closed = make_author_deletion(source=SOURCE, author=event.did, until=_moment(event))
    except MalformedPost as error:
        return Reading(event.time_us, unreadable(error.reason, str(error), SOURCE, raw))
    return Reading(event.time_us, deleted_author=closed)


def _created(event: _Event, record: _Record, post_id: str, filters: Filters) -> Reading:
    refusal = filters.refusal(record.text, record.langs or ())
    if refusal:
        return Reading(event.time_us, skipped=refusal)
    if is_blank(record.text):
        # A picture alone, which is nothing wrong.
        return Reading(event.time_us, skipped="empty")
    fields = {
        "post_id": post_id,
        "source": SOURCE,
        "content": record.text,
        "author": event.did,
    }
    # Not `createdAt`, which is what the author's program claims.
    return Reading(event.time_us, to_post(fields, SOURCE, _moment(event)))


def _moment(event: _Event) -> datetime:
    return EPOCH + timedelta(microseconds=event.time_us)


def _unreadable(error: Exception, place: str, raw: bytes) -> Malformed:
    if isinstance(error, msgspec.ValidationError):
        return unreadable("wrong_type", str(error), place[:300], raw)
    if isinstance(error, UnicodeDecodeError):
        return unreadable("invalid_utf8", f"the message is not UTF-8: {error.reason}", place[:300], raw)
    return unreadable("invalid_json", f"the message is no JSON object: {error}", place[:300], raw)
