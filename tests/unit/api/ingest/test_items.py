"""Each item has its result: a post, one that was there before, or why it is none."""

import json
from typing import Any

import msgspec
import pytest

from services.api.ingest.intake import Items
from services.api.schemas.ingest import Ingested
from services.common.rules import make_rules
from services.common.settings import Settings
from services.ingester.sources.files.lines import MAX_LINE_BYTES

POST: dict[str, Any] = {
    "post_id": "a-1",
    "source": "blog",
    "content": "What a day!",
    "author": "ada",
    "created_at": "2026-01-31T12:00:00Z",
}


def judged(*items: Any, **rules: object) -> tuple[list[str], list[dict[str, Any]]]:
    """The ids of what is to be published, and the results as they are sent."""
    judge = Items(make_rules(Settings.model_validate({"_env_file": None, **rules})))
    posts = judge.judge([item if isinstance(item, bytes) else json.dumps(item).encode() for item in items])
    results = msgspec.to_builtins(judge.results)
    Ingested.model_validate({"accepted": 0, "duplicates": 0, "rejected": 0, "results": results})
    return [post.post_id for post in posts], results


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"content": None}, "missing_field", "content"),
        ({"content": " "}, "empty_field", "content"),
        ({"content": "x" * 40_001}, "too_long", "content"),
        ({"content": "a\0b"}, "nul_character", "content"),
        ({"content": 7}, "wrong_type", "content"),
        ({"source": "s" * 51}, "too_long", "source"),
        ({"author": ["ada"]}, "wrong_type", "author"),
        ({"created_at": None}, "missing_field", "created_at"),
        ({"created_at": "yesterday"}, "invalid_timestamp", "created_at"),
        ({"post_id": "x" * 256}, "too_long", "post_id"),
    ],
)
def test_what_is_no_post_is_told_with_its_reason_and_its_field(change: dict[str, Any], reason: str, field: str) -> None:
    published, (result,) = judged(POST | change)
    assert not published
    assert (result["status"], result["reason"], result["field"]) == ("rejected", reason, field)
    assert field in result["message"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{not json", "invalid_json"),
        (b"", "invalid_json"),
        (b"7", "wrong_type"),
        (b"[" * 100_000, "wrong_type"),
        (b'{"content": "\xff"}', "invalid_utf8"),
        (b'{"content": "\\ud800"}', "invalid_json"),
        (b"{" + b" " * MAX_LINE_BYTES + b"}", "line_too_long"),
    ],
)
def test_what_is_no_object_has_a_reason_and_no_field(raw: bytes, reason: str) -> None:
    published, (result,) = judged(raw)
    assert not published
    assert (result["status"], result["reason"], result.get("field")) == ("rejected", reason, None)


def test_the_neighbours_of_a_bad_item_are_published_and_results_are_in_order() -> None:
    published, results = judged(POST, b"no", POST | {"post_id": 7})
    assert published == ["a-1", "7"]
    assert [(each["index"], each["status"]) for each in results] == [(0, "accepted"), (1, "rejected"), (2, "accepted")]


def test_of_two_with_one_id_the_first_is_published() -> None:
    published, results = judged(POST, POST | {"content": "Another text"})
    assert published == ["a-1"]
    assert [each["status"] for each in results] == ["accepted", "duplicate"]


def test_without_an_id_equal_posts_have_the_same_one_and_others_another() -> None:
    anonymous = {name: value for name, value in POST.items() if name != "post_id"}
    published, results = judged(anonymous, anonymous, anonymous | {"content": "Another text"})
    assert len(published) == 2
    assert [each["status"] for each in results] == ["accepted", "duplicate", "accepted"]
    assert results[0]["post_id"] == results[1]["post_id"] == published[0]


def test_the_other_names_of_fields_are_taken() -> None:
    published, _ = judged({"post_id": "b", "platform": "x", "text": "Hm", "created_at": "2026-01-31", "likes": 3})
    assert published == ["b"]


def test_a_rule_keeps_an_item_out_and_the_result_says_which() -> None:
    shorter = POST | {"post_id": "b", "content": "x"}
    ids, results = judged(shorter, POST, shorter, rule_min_chars=2)
    assert ids == [POST["post_id"]]
    assert [result.get("reason") for result in results] == ["rule_too_short", None, "rule_too_short"]
    assert [result["status"] for result in results] == ["rejected", "accepted", "rejected"]
