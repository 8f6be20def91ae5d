"""Each message of Jetstream becomes a post, a deletion, a reason, or a dead letter: never an exception."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import ConfigurationError
from services.common.messages import MAX_CONTENT_CHARS, AuthorDeletion, Post
from services.ingester.sources import SourceOptions, sources_of
from services.ingester.sources.base import Malformed
from services.ingester.sources.bluesky.events import Reading, read
from services.ingester.sources.filters import Filters
from tests import hostile
from tests.jetstream_server import account, commit, identity

TIME_US = 1_725_911_162_329_308
ALL = Filters()


def message(event: dict[str, Any]) -> bytes:
    return json.dumps({"time_us": TIME_US} | event).encode()


def reading(event: dict[str, Any], filters: Filters = ALL) -> Reading:
    return read(message(event), filters)


def test_a_post_has_the_servers_time_and_not_the_authors() -> None:
    assert reading(commit("3l3qo2vuowo2b", text="good day")) == Reading(
        TIME_US,
        Post(
            post_id="at://did:plc:mole/app.bsky.feed.post/3l3qo2vuowo2b",
            source="bluesky",
            content="good day",
            author="did:plc:mole",
            created_at=datetime(2024, 9, 9, 19, 46, 2, 329_308, UTC),
        ),
    )


@pytest.mark.parametrize(
    "event",
    [
        identity(),
        account(),
        account(status="deactivated"),
        account(status="suspended"),
        commit("a", collection="app.bsky.feed.like", subject={"uri": "at://x"}, text=7),
    ],
    ids=["identity", "account", "deactivated", "suspended", "like"],
)
def test_other_events_only_move_the_position(event: dict[str, Any]) -> None:
    assert reading(event) == Reading(TIME_US)


def test_a_deletion_names_the_post_that_its_creation_named() -> None:
    created = reading(commit("a")).item
    assert isinstance(created, Post)
    assert reading(commit("a", operation="delete")) == Reading(TIME_US, deleted=created.post_id)


@pytest.mark.parametrize("status", ["deleted", "takendown"])
def test_of_an_account_that_is_closed_everything_until_then_is_deleted(status: str) -> None:
    last = reading(commit("a")).item
    assert isinstance(last, Post)
    closed = AuthorDeletion(source="bluesky", author="did:plc:mole", until=last.created_at)
    assert reading(account(status=status)) == Reading(TIME_US, deleted_author=closed)


def test_an_account_is_active_whatever_its_status_says() -> None:
    event = account()
    event["account"]["status"] = "deleted"
    assert reading(event) == Reading(TIME_US)


def test_a_changed_post_stays_as_it_was_and_a_picture_alone_is_no_fault() -> None:
    assert reading(commit("a", operation="update")) == Reading(TIME_US, skipped="update")
    assert reading(commit("a", text="")) == Reading(TIME_US, skipped="empty")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (commit("a", text=7), "wrong_type"),
        (commit("a", langs="en"), "wrong_type"),
        (commit(""), "wrong_type"),
        (commit("a", did=""), "wrong_type"),
        (commit("a") | {"time_us": "now"}, "wrong_type"),
        (commit("a") | {"time_us": -1}, "wrong_type"),
        (commit("a") | {"time_us": 10**18}, "wrong_type"),
        (commit("a" * 300), "too_long"),
        (account(status="deleted") | {"account": {"active": "no"}}, "wrong_type"),
        (account("did:plc:" + "a" * 300, "deleted"), "too_long"),
        (account("did:plc:\x00", "deleted"), "nul_character"),
        (commit("a", text="x" * (MAX_CONTENT_CHARS + 1)), "too_long"),
        (commit("a", text="a\x00b"), "nul_character"),
        (commit("a", text="\ud800"), "invalid_json"),
    ],
)
def test_what_should_be_a_post_and_is_none_is_a_dead_letter(event: dict[str, Any], reason: str) -> None:
    item = reading(event).item
    assert isinstance(item, Malformed)
    assert item.reason == reason
    assert item.error.isprintable()
    assert len(item.error) < 1_000


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[]", "wrong_type"),
        (b"\xff\xfe", "invalid_json"),
        (b'{"did": "a\xff", "time_us": 1, "kind": "x"}', "invalid_utf8"),
        (b"[" * 100_000, "wrong_type"),
    ],
)
def test_what_is_no_event_is_a_dead_letter_without_a_time(raw: bytes, reason: str) -> None:
    found = read(raw, ALL)
    assert found.time_us is None
    assert isinstance(found.item, Malformed)
    assert found.item.reason == reason


@given(
    hostile.nearly({"time_us": TIME_US} | commit("a")).map(str.encode) | hostile.raw_texts() | st.binary(max_size=50)
)
def test_nothing_is_raised_whatever_comes(raw: bytes) -> None:
    found = read(raw, ALL)
    said = [found.item, found.deleted, found.skipped, found.deleted_author]
    assert sum(each is not None for each in said) <= 1
    assert found.time_us is not None or isinstance(found.item, Malformed)


@pytest.mark.parametrize(
    ("wanted", "languages", "is_wanted"),
    [
        ([], None, True),
        (["en"], ["en"], True),
        (["en"], ["en-GB", "de"], True),
        (["EN-us"], ["en"], True),
        (["en", "pt"], ["pt_BR"], True),
        (["en"], ["de"], False),
        (["en"], ["eng"], False),
        (["en"], [], False),
        (["en"], None, False),
    ],
)
def test_a_language_is_what_the_author_says(wanted: list[str], languages: list[str] | None, is_wanted: bool) -> None:
    found = reading(commit("a", langs=languages), Filters(wanted))
    assert isinstance(found.item, Post) == is_wanted
    assert found.skipped == (None if is_wanted else "language")


@pytest.mark.parametrize(
    ("keyword", "text", "is_wanted"),
    [
        ("ai", "AI is here", True),
        ("ai", "he said so", False),
        ("good day", "what a Good Day!", True),
        ("c++", "I like C++.", True),
        ("#rain", "so much #rain", True),
        ("東京", "今日は東京です", True),
        ("Ärger", "viel ärger", True),
        ("a.b", "axb", False),
    ],
)
def test_a_keyword_is_found_as_whole_words(keyword: str, text: str, is_wanted: bool) -> None:
    found = reading(commit("a", text=text), Filters(keywords=["nothing", keyword]))
    assert isinstance(found.item, Post) == is_wanted
    assert found.skipped == (None if is_wanted else "keyword")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (SourceOptions(languages=["english"]), "code as en"),
        (SourceOptions(keywords=[" "]), "keyword"),
        (SourceOptions(accounts=["mole.example"]), "DID"),
        (SourceOptions(accounts=["did:plc:a"] * 101), "100"),
        (SourceOptions(jetstreams=["https://jetstream.example"]), "wss://"),
        (SourceOptions(jetstreams=["wss://"]), "wss://"),
        (SourceOptions(jetstreams=["wss://host/subscribe"]), "wss://"),
        (SourceOptions(jetstreams=["wss://host:0"]), "wss://"),
    ],
)
def test_what_cannot_be_meant_is_told_at_once(options: SourceOptions, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        sources_of("bluesky", options)
