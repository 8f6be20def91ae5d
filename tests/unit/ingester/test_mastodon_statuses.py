"""Each status of Mastodon becomes a post in plain text, a deletion, a reason, or a dead letter: never an exception."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import ConfigurationError
from services.common.messages import Post
from services.ingester.sources import SourceOptions, sources_of
from services.ingester.sources.base import Malformed
from services.ingester.sources.filters import Filters
from services.ingester.sources.mastodon.source import MastodonSource
from services.ingester.sources.mastodon.statuses import (
    Reading,
    Wanted,
    read_message,
    read_status,
)
from services.ingester.sources.plain_text import MAX_HTML_CHARS, plain_text
from tests import hostile
from tests.mastodon_server import FIRST_ID, status

HOST = "mastodon.example"
ALL = Wanted(Filters())
ID = str(FIRST_ID + 1)


def reading(changed: dict[str, Any], wanted: Wanted = ALL) -> Reading:
    return read_status(json.dumps(changed).encode(), HOST, wanted)


def test_a_status_is_a_post_with_the_full_name_of_its_author() -> None:
    assert reading(status(1, created_at="2026-03-02T12:00:00.000Z")).item == Post(
        post_id=f"mastodon:{HOST}/{ID}",
        source="mastodon",
        content="good day 1",
        author=f"mole@{HOST}",
        created_at=datetime(2026, 3, 2, 12, tzinfo=UTC),
    )
    item = reading(status(1, account={"acct": "toad@elsewhere.example"})).item
    assert isinstance(item, Post)
    assert item.author == "toad@elsewhere.example"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<p>one<br>two<br />three</p>", "one\ntwo\nthree"),
        ("<p>a &amp; b &lt;c&gt; &#128512;</p>", "a & b <c> 😀"),
        (
            '<p><a href="https://a.example/b" rel="nofollow"><span class="invisible">https://</span>'
            '<span class="ellipsis">a.example/b</span></a></p>',
            "https://a.example/b",
        ),
        ('<p>hey <span class="h-card"><a href="#">@<span>toad</span></a></span></p>', "hey @toad"),
        ("<ul><li>one</li><li>two</li></ul>", "one\n\ntwo"),
        ("<script>alert(1)</script>good<style>p {}</style> day", "good day"),
        ("plain", "plain"),
        ("<p>never closed", "never closed"),
        ("a < b", "a < b"),
        ("", ""),
    ],
)
def test_html_becomes_text(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    "part", ["<", "<div>", "<font><p>", "<!", "<!--", "<a ", "</", "&", "<![CDATA[", "<p>", "<script>", "&#x"]
)
def test_no_html_takes_long(part: str) -> None:
    """The test's time limit is what a text of the greatest length must not reach."""
    plain_text(part * (MAX_HTML_CHARS // len(part)))


def test_a_warning_stands_before_the_text_it_hides() -> None:
    item = reading(status(1, spoiler_text="spiders", content="<p>eight legs</p>")).item
    assert isinstance(item, Post)
    assert item.content == "spiders\n\neight legs"


def test_what_is_shared_and_what_programs_write_is_left_out_unless_it_is_wanted() -> None:
    shared = status(1, content="", reblog=status(0, content="<p>a good day</p>", language="de"))
    bot = status(1, account={"bot": True})
    assert reading(shared) == Reading(ID, skipped="reblog")
    assert reading(bot) == Reading(ID, skipped="bot")
    wanted = Wanted(Filters(["de"]), reblogs=True)
    item = reading(shared, wanted).item
    assert isinstance(item, Post)
    assert (item.content, item.author) == ("a good day", f"mole@{HOST}")
    assert isinstance(reading(bot, Wanted(Filters(), bots=True)).item, Post)


def test_filters_look_at_the_text_and_not_at_the_html() -> None:
    wanted = Wanted(Filters(["en"], ["span"]))
    assert reading(status(1, language="de"), wanted).skipped == "language"
    assert reading(status(1, language=None), wanted).skipped == "language"
    assert reading(status(1, content="<p><span>good</span> day</p>"), wanted).skipped == "keyword"
    assert isinstance(reading(status(1, content="<p>a <b>span</b></p>"), wanted).item, Post)
    assert reading(status(1, content="<p></p>")).skipped == "empty"


def test_messages_of_the_stream() -> None:
    def message(event: str, payload: str) -> Reading:
        return read_message(json.dumps({"stream": ["public"], "event": event, "payload": payload}).encode(), HOST, ALL)

    posted = message("update", json.dumps(status(1)))
    assert isinstance(posted.item, Post)
    assert message("delete", ID) == Reading(deleted=posted.item.post_id)
    assert message("status.update", json.dumps(status(1))) == Reading(skipped="update")
    assert message("announcement", "{}") == Reading()


@pytest.mark.parametrize(
    ("changed", "reason", "status_id"),
    [
        (status(1, content=7), "wrong_type", ID),
        (status(1, created_at="yesterday"), "invalid_timestamp", ID),
        (status(1, created_at=None), "wrong_type", ID),
        (status(1, content="x" * (MAX_HTML_CHARS + 1)), "too_long", ID),
        (status(1, content="x" * 50_000), "too_long", ID),
        (status(1, account={"acct": "x" * 300}), "too_long", ID),
        (status(1, id=""), "wrong_type", None),
        (status(1, id=7), "wrong_type", None),
        ({}, "wrong_type", None),
    ],
)
def test_what_should_be_a_post_and_is_none_is_a_dead_letter(
    changed: dict[str, Any], reason: str, status_id: str | None
) -> None:
    found = reading(changed)
    assert isinstance(found.item, Malformed)
    assert (found.item.reason, found.status_id) == (reason, status_id)


@given(hostile.nearly(status(1)).map(str.encode) | hostile.raw_texts() | st.binary(max_size=50))
def test_nothing_is_raised_whatever_comes(raw: bytes) -> None:
    for found in (read_status(raw, HOST, ALL), read_message(raw, HOST, ALL)):
        assert sum(each is not None for each in (found.item, found.deleted, found.skipped)) <= 1


@given(st.text(alphabet="<>/!-a p&;#x=\"'\n", max_size=200) | st.text(max_size=50))
def test_no_html_is_refused(html: str) -> None:
    plain_text(html)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (SourceOptions(), "--instance"),
        (SourceOptions(instance="https://mastodon.social/public"), "a host as"),
        (SourceOptions(instance="ftp://mastodon.social"), "a host as"),
        (SourceOptions(instance="user@mastodon.social"), "a host as"),
        (SourceOptions(instance="a b"), "a host as"),
        (SourceOptions(instance="http://mastodon.social", mastodon_token="t"), "unencrypted"),
    ],
)
def test_what_cannot_be_meant_is_told_at_once(options: SourceOptions, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        sources_of("mastodon", options)


def test_each_server_is_a_source_of_its_own() -> None:
    assert MastodonSource("Mastodon.Social", ALL).name == "mastodon:mastodon.social"
    assert MastodonSource("https://mastodon.social/", ALL).name == "mastodon:mastodon.social"
