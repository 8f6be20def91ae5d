"""Each item of Hacker News becomes a post in plain text, a deletion, a reason, or a dead letter; and is given once."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.messages import Post
from services.ingester.sources.base import Malformed
from services.ingester.sources.filters import Filters
from services.ingester.sources.hackernews.items import Reading, read_item
from services.ingester.sources.hackernews.progress import Progress, decode
from tests import hostile
from tests.hackernews_server import FIRST_S, comment

MISSING_S = 10.0


def read(filters: Filters | None = None, **changes: Any) -> Reading | None:
    return read_item(json.dumps(comment(7, **changes)).encode(), 7, filters or Filters())


def test_a_comment_is_a_post_without_html() -> None:
    found = read(text='it&#x27;s a <i>good</i> day<p>and <a href="https://a.example">more</a>')
    assert found is not None
    assert isinstance(found.item, Post)
    assert (found.item.post_id, found.item.source, found.item.author) == ("hackernews:7", "hackernews", "mole")
    assert found.item.content == "it's a good day\n\nand more"
    assert found.item.created_at == datetime.fromtimestamp(FIRST_S + 7, UTC)


@pytest.mark.parametrize(
    ("text", "content"), [(None, "Ask HN: R&D?"), ("<p>Tell me", "Ask HN: R&D?\n\nTell me"), ("", "Ask HN: R&D?")]
)
def test_a_story_is_its_title_and_its_text(text: str | None, content: str) -> None:
    found = read(type="story", title="Ask HN: R&amp;D?", text=text, url="https://a.example")
    assert found is not None
    assert isinstance(found.item, Post)
    assert found.item.content == content


@pytest.mark.parametrize(
    ("changes", "reading"),
    [
        ({"deleted": True, "by": None, "text": None}, Reading(deleted="hackernews:7")),
        ({"deleted": True, "dead": True, "type": "job"}, Reading(deleted="hackernews:7")),
        ({"dead": True}, Reading(skipped="dead")),
        ({"type": "job"}, Reading(skipped="kind")),
        ({"type": "pollopt"}, Reading(skipped="kind")),
        ({"text": None}, Reading(skipped="empty")),
        ({"text": "<p>"}, Reading(skipped="empty")),
        ({"text": "[delayed]"}, None),
    ],
)
def test_what_is_no_post_has_its_reason(changes: dict[str, Any], reading: Reading | None) -> None:
    assert read(**changes) == reading


def test_what_there_is_not_is_no_reading() -> None:
    assert read_item(b"null", 7, Filters()) is None


def test_filters_take_all_of_it_for_english() -> None:
    assert read(Filters(["de"])) == Reading(skipped="language")
    assert read(Filters(keywords=["train"])) == Reading(skipped="keyword")
    found = read(Filters(["en"], ["good day"]))
    assert found is not None
    assert isinstance(found.item, Post)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"time": None}, "missing_field"),
        ({"time": -1}, "wrong_type"),
        ({"time": 10**30}, "wrong_type"),
        ({"time": "soon"}, "wrong_type"),
        ({"text": ["a"]}, "wrong_type"),
        ({"text": "a" * 60_000}, "too_long"),
    ],
)
def test_what_should_have_been_a_post_is_a_dead_letter(changes: dict[str, Any], reason: str) -> None:
    found = read(**changes)
    assert found is not None
    assert isinstance(found.item, Malformed)
    assert found.item.reason == reason
    assert found.item.error.startswith("item 7: ")


@given(hostile.raw_texts() | st.binary(max_size=50))
def test_whatever_an_answer_is_nothing_is_raised(raw: bytes) -> None:
    read_item(raw, 7, Filters())


@given(hostile.texts(), hostile.texts())
def test_whatever_people_write_nothing_is_raised(text: str, name: str) -> None:
    read(type="story", title=text, text=f"<p>{text}", by=name)


@given(st.lists(st.tuples(st.integers(0, 30), st.sets(st.integers(1, 200)), st.integers(0, 8)), max_size=30))
def test_each_item_is_read_or_given_up_once_and_the_position_passes_none_before(
    steps: list[tuple[int, set[int], int]],
) -> None:
    """Each step: so many new ones, those that are not there, so many seconds later."""
    progress, newest, now_s = Progress(0, MISSING_S), 0, 0
    done: list[int] = []
    for more, missing, seconds in steps:
        newest, now_s = newest + more, now_s + seconds
        due = progress.due(newest, 20)
        assert len(due) <= 20
        assert due == sorted(set(due))
        done += [each for each in due if each not in missing]
        done += progress.were_read(due, missing, now_s)
        assert len(done) == len(set(done))
        assert set(range(1, progress.position + 1)) <= set(done)
        assert progress.position <= progress.reach <= newest


def test_what_never_comes_holds_nothing_up_for_ever() -> None:
    progress = Progress(0, MISSING_S)
    assert progress.were_read(progress.due(3, 3), {1, 2, 3}, 0.0) == []
    # As many as may be read at a time are missing.
    assert progress.due(9, 3) == [1, 2, 3]
    assert progress.position == 0
    assert progress.were_read([1, 2, 3], {1, 2, 3}, MISSING_S) == [1, 2, 3]
    assert (progress.position, progress.due(9, 3)) == (3, [4, 5, 6])


@pytest.mark.parametrize("text", [None, "", "-1", "1.5", "٣", "9" * 16, "9" * 5_000, "\ud800"])
def test_a_position_that_is_none_is_not_used(text: str | None) -> None:
    assert decode(text) is None
    assert decode("42") == 42
