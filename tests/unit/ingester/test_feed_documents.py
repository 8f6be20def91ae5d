"""Each entry of a feed becomes a post in plain text, a reason, or a dead letter; a document that is none is told."""

from collections.abc import Container
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import ConfigurationError, Transient
from services.common.messages import MAX_CONTENT_CHARS, Post
from services.ingester.sources import SourceOptions, sources_of
from services.ingester.sources.answers import MAX_RETRY_AFTER_S, retry_after_s
from services.ingester.sources.base import Malformed
from services.ingester.sources.filters import Filters
from services.ingester.sources.rss.documents import Document, Reading, read_document
from services.ingester.sources.rss.position import MAX_ENTRIES, MAX_KEYS, Position, decode, encode
from tests import hostile
from tests.feed_server import WRITTEN, item, rss

NOW = datetime(2026, 3, 3, tzinfo=UTC)
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title>Blog</title><entry><id>tag:a,2026:1</id>
<title type="html">One &amp;amp; all</title>
<updated>2026-03-02T13:00:00+01:00</updated><author><name>Toad</name></author>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>good</p><p>day</p></div></content></entry></feed>"""


def read(body: bytes, filters: Filters | None = None, known: Container[str] = ()) -> Document:
    return read_of("rss:news.example", body, filters, known)


def read_of(feed_name: str, body: bytes, filters: Filters | None = None, known: Container[str] = ()) -> Document:
    return read_document(
        body, "application/xml", feed_name=feed_name, filters=filters or Filters(), known=known, now=NOW
    )


def reading(**changes: str) -> Reading:
    [found] = read(rss(item(0, **changes))).new
    return found


def post(**changes: str) -> Post:
    found = reading(**changes).item
    assert isinstance(found, Post)
    return found


def test_an_item_is_a_post_of_its_title_and_its_summary_without_html() -> None:
    found = post(author="toad@news.example (Toad)")
    assert (found.source, found.author, found.created_at) == ("rss", "Toad", WRITTEN)
    assert found.content == "good day 0\n\nit is a good day 0"
    assert found.post_id.startswith("rss:")
    # Who is not named is the feed.
    assert post().author == "The News"
    assert post(author="toad@news.example").author == "The News"


def test_an_entry_of_atom() -> None:
    [found] = read(ATOM.encode()).new
    assert isinstance(found.item, Post)
    assert (found.item.content, found.item.author) == ("One & all\n\ngood\n\nday", "Toad")
    assert found.item.created_at == WRITTEN
    assert read(ATOM.encode(), Filters(["en"])).new == [Reading(skipped="language")]
    assert isinstance(read(ATOM.encode(), Filters(["de"])).new[0].item, Post)


def test_a_title_made_of_the_beginning_is_not_said_twice() -> None:
    assert post(title="it is a good…").content == "it is a good day 0"
    assert post(title="").content == "it is a good day 0"
    assert post(description="").content == "good day 0"


def test_text_that_is_no_html_stays_as_it_is() -> None:
    assert post(title="", description="1 < 2 & R&D").content == "1 < 2 & R&D"


@pytest.mark.parametrize(
    ("date", "written"),
    [("", NOW), ("yesterday", NOW), ("Mon, 02 Mar 2099 12:00:00 GMT", NOW), ("2026-03-02T12:00:00Z", WRITTEN)],
)
def test_no_entry_is_of_the_future_or_of_no_time(date: str, written: datetime) -> None:
    assert post(pubDate=date).created_at == written


def test_an_entry_is_known_by_its_id_or_link_whatever_else_changes() -> None:
    same = [item(0), item(0, title="a better day"), item(0, guid="", link="https://news.example/0")]
    assert len({key for each in same for key in read(rss(each)).keys}) == 1
    # Without either by what it says.
    without = [item(0, guid=""), item(0, guid="", title="another day")]
    assert len({key for each in without for key in read(rss(each)).keys}) == 2
    assert read_of("rss:other.example", rss(item(0))).keys != read(rss(item(0))).keys


def test_only_what_is_new_is_given_the_oldest_first_and_each_once() -> None:
    known = read(rss(item(1))).keys
    document = read(rss(item(3), item(3), item(2), item(1)), known=known)
    numbers = [each.item.content.splitlines()[0][-1] for each in document.new if isinstance(each.item, Post)]
    assert numbers == ["2", "3"]
    assert document.keys[-1:] == known


def test_a_feed_without_end_is_read_as_far_as_may_be() -> None:
    document = read(rss(*map(item, range(MAX_ENTRIES + 7))))
    assert (len(document.new), document.left) == (MAX_ENTRIES, 7)


def test_what_is_not_well_formed_is_read_all_the_same_and_what_is_cut_is_not() -> None:
    whole = rss(item(0), item(1), more="<copyright>R&D</copyright>")
    assert len(read(whole).new) == 2
    for length in (len(whole) // 2, len(whole) - 20, len(whole) - 9):
        with pytest.raises(Transient, match="end of the feed"):
            read(whole[:length])


@pytest.mark.parametrize("body", [b"", b"<html><p>later</p></html>", b"{}", b"\xff\xfe", b"/etc/passwd", b"<rss"])
def test_what_is_no_feed_is_told(body: bytes) -> None:
    with pytest.raises(Transient):
        read(body)


@pytest.mark.parametrize("text", ["&#xd800;", "&#x110000;", f"&#{'9' * 20};"])
def test_what_the_parser_stumbles_over_is_told(text: str) -> None:
    with pytest.raises(Transient, match="cannot be read"):
        read(rss(item(0)).replace(b"good day 0", text.encode()))
    with pytest.raises(Transient, match="cannot be read"):
        read(rss(item(0)).replace(b'encoding="utf-8"', b'encoding="utf\x00-8"'))


def test_an_entry_whose_id_has_come_to_nothing_is_a_post_all_the_same() -> None:
    [found] = read(rss(item(0)).replace(b"news.example/0</guid>", b"news.example/0<b></guid>")).new
    assert isinstance(found.item, Post)
    assert found.item.content.startswith("good day 0")


def test_what_entities_make_of_a_little_is_refused() -> None:
    lines = [f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "a good day"}">' for i in range(9)]
    bomb = (
        f"<?xml version='1.0'?><!DOCTYPE rss [{''.join(lines)}]><rss version='2.0'><channel><item><title>&a8;</title>"
    )
    document = read(f"{bomb}</item></channel></rss>".encode())
    assert all(len(each.item.content) < 1_000 for each in document.new if isinstance(each.item, Post))


def test_a_long_article_is_its_beginning_and_what_no_post_may_have_is_a_dead_letter() -> None:
    assert len(post(description="good " * 20_000).content) == MAX_CONTENT_CHARS
    assert len(post(author="toad@a.example (" + "Toad " * 100 + ")").author) <= 255
    assert reading(title="", description=" <p></p> ") == Reading(skipped="empty")
    document = read(rss(item(0), item(1, title="&#0;x")).replace(b"&amp;#0;", b"&#0;"))
    assert all(isinstance(each.item, Post | Malformed) for each in document.new)


@given(hostile.texts() | hostile.texts().map(lambda text: f"<p>{text}"), hostile.times())
def test_whatever_an_entry_says_nothing_but_transient_is_raised(text: str, time: str) -> None:
    with suppress(Transient):
        read(rss(item(0, title=text, description=text, pubDate=time, author=text)).replace(b"\r", b""))


@given(hostile.raw_texts() | st.binary(max_size=50), st.sampled_from([b"", rss()[:80], rss(item(0))[:-30]]))
def test_whatever_a_document_is_nothing_but_transient_is_raised(raw: bytes, before: bytes) -> None:
    with suppress(Transient):
        read(before + raw)


def test_a_position_is_read_as_it_was_written_and_has_an_end() -> None:
    position = Position().after('W/"a"', "Mon, 02 Mar 2026 12:00:00 GMT", ["b", "a"]).after('W/"b"', None, ["c", "b"])
    assert decode(encode(position)) == position == Position('W/"b"', "", ("c", "b", "a"))
    assert len(position.after(None, None, [*map(str, range(3 * MAX_KEYS))]).keys) == MAX_KEYS
    for text in (None, "", "7", "{", '{"keys": 1}', "[" * 100_000, "\ud800"):
        assert decode(text) == Position()


@pytest.mark.parametrize("header", ["a\r\nHost: b", "ä", "x" * 600, ""])
def test_a_header_that_could_not_be_sent_back_is_not_kept(header: str) -> None:
    assert Position().after(header, header, []) == Position()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("9" * 30, MAX_RETRY_AFTER_S),
        ("Tue, 03 Mar 2026 00:01:00 GMT", 60.0),
        ("Tue, 03 Mar 2020 00:01:00 GMT", 0.0),
        ("-5", 1.0),
        ("soon", 1.0),
        ("٣", 1.0),
        (None, 1.0),
    ],
)
def test_how_long_a_server_wants_to_be_left_alone(text: str | None, seconds: float) -> None:
    assert retry_after_s(text, NOW.timestamp(), 1.0) == seconds


@pytest.mark.parametrize(
    ("feeds", "told"),
    [
        ([], "--feed"),
        (["ftp://news.example/feed"], "an address as"),
        (["file:///etc/passwd"], "an address as"),
        (["news.example/feed.xml"], "an address as"),
        (["https://toad:secret@news.example/feed"], "an address as"),
        (["https://a b/feed"], "an address as"),
        (["https://a.example/\x01"], "an address as"),
        (["https://ⓐ.example/feed"], "an address as"),
        ([f"https://a.example/{'x' * 2_000}"], "an address as"),
        (["https://news.example/a", "http://news.example/a"], "named once"),
        ([f"https://news.example/{number}" for number in range(201)], "at most 200"),
    ],
)
def test_what_cannot_be_meant_is_told_at_once(feeds: list[str], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        sources_of("rss", SourceOptions(feeds=feeds))


def test_no_password_is_told_to_the_log() -> None:
    with pytest.raises(ConfigurationError) as told:
        sources_of("rss", SourceOptions(feeds=["https://toad:secret@news.example/feed"]))
    assert "secret" not in str(told.value)


def test_each_feed_is_a_source_of_its_own() -> None:
    sources = sources_of(
        "rss", SourceOptions(feeds=["https://a.example/x", "https://b.example/?y=1"], rate_per_minute=6)
    )
    assert [source.name for source in sources] == ["rss:a.example/x", "rss:b.example/?y=1"]
