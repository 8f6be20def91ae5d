"""Each thing of a listing becomes a post in plain text, a reason, or a dead letter: never an exception."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import ConfigurationError, Transient
from services.common.messages import MAX_CONTENT_CHARS, Post
from services.ingester.sources import SourceOptions, sources_of
from services.ingester.sources.base import Malformed
from services.ingester.sources.filters import Filters
from services.ingester.sources.health import Reason
from services.ingester.sources.plain_text import MAX_HTML_CHARS
from services.ingester.sources.reddit.things import Reading, read_page, to_base_36
from tests import hostile
from tests.reddit_server import APPLICATION, FIRST_NUMBER, WRITTEN_S, thing

ALL = Filters()


def reading(child: object, filters: Filters = ALL, *, bots: bool = False) -> Reading:
    # By way of JSON, as the library decodes it.
    answer = json.loads(json.dumps({"kind": "Listing", "data": {"children": [child], "after": None}}))
    [found] = read_page(answer, filters, bots=bots).readings
    return found


def test_a_comment_is_a_post() -> None:
    assert reading(thing("t1", 1)) == Reading(
        "t1_s44we9",
        FIRST_NUMBER + 1,
        Post(
            post_id="reddit:t1_s44we9",
            source="reddit",
            content="it is a good day 1",
            author="person1",
            created_at=datetime.fromtimestamp(WRITTEN_S + 1, UTC),
        ),
    )


@pytest.mark.parametrize(
    ("html", "text"),
    [("<p>So <em>good</em></p>", "A day 1\n\nSo good"), (None, "A day 1"), ("", "A day 1")],
)
def test_a_submission_is_its_title_and_its_text(html: str | None, text: str) -> None:
    item = reading(thing("t3", 1, selftext_html=html)).item
    assert isinstance(item, Post)
    assert item.content == text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"body_html": "<div><p>[removed]</p></div>"}, "empty"),
        ({"body_html": "<p>[deleted]</p>", "author": None}, "empty"),
        ({"body_html": ""}, "empty"),
        ({"author": "AutoModerator"}, "bot"),
        ({"body_html": "<p>nothing of it</p>"}, "keyword"),
    ],
)
def test_what_is_not_wanted_has_a_reason(changes: dict[str, Any], reason: Reason) -> None:
    found = reading(thing("t1", 1, **changes), Filters((), ["good day"]))
    assert (found.item, found.skipped, found.number) == (None, reason, FIRST_NUMBER + 1)


def test_a_submission_that_was_taken_away_is_none() -> None:
    assert reading(thing("t3", 1, selftext_html="<p>[removed]</p>")).skipped == "empty"
    assert reading(thing("t3", 1, title="[deleted by user]", selftext_html=None)).skipped == "empty"


def test_programs_are_read_where_they_are_wanted() -> None:
    assert isinstance(reading(thing("t1", 1, author="AutoModerator"), bots=True).item, Post)


def test_an_account_that_is_gone_has_no_name() -> None:
    item = reading(thing("t1", 1, author="[deleted]")).item
    assert isinstance(item, Post)
    assert item.author == ""


def test_what_is_longer_than_is_stored_is_cut_and_what_is_longer_than_is_parsed_refused() -> None:
    item = reading(thing("t3", 1, title="x" * (MAX_CONTENT_CHARS + 1))).item
    assert isinstance(item, Post)
    assert len(item.content) == MAX_CONTENT_CHARS
    refused = reading(thing("t1", 1, body_html="x" * (MAX_HTML_CHARS + 1))).item
    assert isinstance(refused, Malformed)
    assert refused.reason == "too_long"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"created_utc": None}, "missing_field"),
        ({"created_utc": 1e300}, "invalid_timestamp"),
        ({"created_utc": float("nan")}, "invalid_timestamp"),
        ({"created_utc": "yesterday"}, "wrong_type"),
        ({"name": "t5_abc"}, "wrong_type"),
        ({"name": "t1_" + "z" * 20}, "wrong_type"),
        ({"author": 7}, "wrong_type"),
        ({"author": "half \ud800"}, "invalid_utf8"),
    ],
)
def test_what_is_no_post_is_a_dead_letter(changes: dict[str, Any], reason: str) -> None:
    item = reading(thing("t1", 1, **changes)).item
    assert isinstance(item, Malformed), item
    assert item.reason == reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, st.sampled_from(["name", "author", "created_utc", "title", "body_html", "selftext_html"]))
def test_nothing_in_a_page_ends_the_source(value: object, name: str) -> None:
    reading(value)
    reading(thing("t1", 1, **{name: value}))
    reading({"kind": "t3", "data": value})


@pytest.mark.parametrize("text", hostile.TEXTS)
def test_hostile_text_is_a_post_or_a_dead_letter(text: str) -> None:
    found = reading(thing("t3", 1, title=text, selftext_html=text, author=text[:255]))
    assert (found.item is None) != (found.skipped is None)


@pytest.mark.parametrize("answer", [None, "", [], {}, {"data": []}, {"data": {"children": 1}}, {"data": {"after": 1}}])
def test_an_answer_that_is_no_page_is_asked_for_again(answer: object) -> None:
    with pytest.raises(Transient, match="no listing"):
        read_page(answer, ALL, bots=False)


@given(st.integers(0, 36**13))
def test_numbers_are_written_as_they_are_read(number: int) -> None:
    assert int(to_base_36(number), 36) == number


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (SourceOptions(reddit=APPLICATION), "--subreddit"),
        (SourceOptions(subreddits=["books"]), "REDDIT_CLIENT_ID"),
        (SourceOptions(subreddits=["books", "a b"], reddit=APPLICATION), "'a b'"),
        (SourceOptions(subreddits=["books"] * 101, reddit=APPLICATION), "at most 100"),
        (SourceOptions(subreddits=["books"], reddit=APPLICATION, languages=["en"]), "RULE_LANGUAGES"),
    ],
)
def test_what_cannot_be_meant_is_told_at_once(options: SourceOptions, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        sources_of("reddit", options)


def test_a_subreddit_may_be_named_as_people_do() -> None:
    [source] = sources_of("reddit", SourceOptions(subreddits=["books", "/r/movies/"], reddit=APPLICATION))
    assert source.name == "reddit"
