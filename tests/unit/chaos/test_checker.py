"""The checker of the chaos suite can fail: each thing that must not be is found, and said in words."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.common.errors import MalformedPost
from services.common.messages import Post, decode_post
from services.ingester.sources.base import Malformed
from services.ingester.sources.files import jsonl
from tests.chaos.compare import Violation, compare, told
from tests.chaos.evidence import Evidence, StoredPost
from tests.chaos.logs import unexpected_lines
from tests.chaos.malformed import ENTRY_REASONS, bad_entries, bad_lines
from tests.chaos.recording import write_files
from tests.chaos.truth import Letter, Truth

AT = datetime(2026, 1, 1, tzinfo=UTC)
ONE, TWO = (
    Post(post_id=name, source="file", content=f"text of {name}", author="ada", created_at=AT) for name in ("one", "two")
)
OTHER_ONE = msgspec.structs.replace(ONE, content="other text")
BAD = Letter.of("empty_field", {b"post_id": b"bad", b"content": b""})
WORSE = Letter.of("too_long", {b"post_id": b"worse", b"content": b"x"})


@pytest.fixture
def truth() -> Truth:
    truth = Truth(letters={BAD, WORSE})
    truth.offer([ONE, TWO])
    return truth


ALL_WELL = Evidence(posts=[StoredPost(ONE), StoredPost(TWO)], letters=[BAD, WORSE])


def found(truth: Truth, evidence: Evidence) -> list[Violation]:
    violations = compare(truth, evidence)
    assert all(violation.kind in told(violations) and violation.what in told(violations) for violation in violations)
    return violations


def kinds(truth: Truth, evidence: Evidence) -> list[str]:
    return [violation.kind for violation in found(truth, evidence)]


def test_nothing_is_found_where_everything_is_as_it_was_offered(truth: Truth) -> None:
    assert found(truth, ALL_WELL) == []
    assert told([]) == ""


@pytest.mark.parametrize(
    ("evidence", "where"),
    [
        ({}, "it was never seen in the stream"),
        ({"seen": {"two": "5-0"}}, "it was in the stream as 5-0 and is gone from there"),
        ({"letters": [BAD, WORSE, Letter.of("poison", {b"post_id": b"two"})]}, "among the dead letters as poison"),
        ({"waiting": {"two": "pending at w, delivered 3 times"}}, "in the stream, pending at w, delivered 3 times"),
    ],
)
def test_a_lost_post_is_found_with_the_place_where_it_was_lost(
    truth: Truth, evidence: dict[str, Any], where: str
) -> None:
    violations = found(truth, replace(ALL_WELL, posts=[StoredPost(ONE)], **evidence))
    assert Violation("lost post", f"two: {where}") in violations


def test_a_doubled_post_is_found(truth: Truth) -> None:
    assert kinds(truth, replace(ALL_WELL, posts=[*ALL_WELL.posts, StoredPost(ONE)])) == ["doubled post"]


def test_a_post_that_nobody_offered_is_found(truth: Truth) -> None:
    ghost = msgspec.structs.replace(ONE, post_id="ghost")
    assert kinds(truth, replace(ALL_WELL, posts=[*ALL_WELL.posts, StoredPost(ghost)])) == ["invented post"]


@pytest.mark.parametrize("field", ["source", "content", "author", "created_at"])
def test_a_changed_field_is_found(truth: Truth, field: str) -> None:
    value = datetime(2026, 1, 2, tzinfo=UTC) if field == "created_at" else "changed"
    changed = msgspec.structs.replace(ONE, **{field: value})
    (violation,) = found(truth, replace(ALL_WELL, posts=[StoredPost(changed), StoredPost(TWO)]))
    assert violation.kind == "changed post"
    assert f"{field} " in violation.what


def test_of_two_posts_with_one_id_either_may_be_stored_but_no_mixture(truth: Truth) -> None:
    truth.offer([OTHER_ONE])
    mixture = msgspec.structs.replace(OTHER_ONE, author="bob")
    for first, violations in ((ONE, []), (OTHER_ONE, []), (mixture, ["changed post"])):
        assert kinds(truth, replace(ALL_WELL, posts=[StoredPost(first), StoredPost(TWO)])) == violations


@pytest.mark.parametrize(("analyses", "current"), [(0, 0), (1, 0), (2, 1), (2, 2)])
def test_a_post_without_exactly_one_current_analysis_is_found(truth: Truth, analyses: int, current: int) -> None:
    evidence = replace(ALL_WELL, posts=[StoredPost(ONE, analyses, current), StoredPost(TWO)])
    assert kinds(truth, evidence) == ["post without exactly one analysis"]


def test_a_missing_dead_letter_is_found(truth: Truth) -> None:
    (violation,) = found(truth, replace(ALL_WELL, letters=[BAD]))
    assert violation == Violation("missing dead letter", str(WORSE))


def test_a_doubled_dead_letter_is_found(truth: Truth) -> None:
    assert kinds(truth, replace(ALL_WELL, letters=[BAD, WORSE, BAD])) == ["doubled dead letter"]


def test_a_wrong_reason_is_found_beside_the_true_one_and_in_its_place(truth: Truth) -> None:
    wrong = replace(BAD, reason="too_long")
    assert kinds(truth, replace(ALL_WELL, letters=[wrong, WORSE])) == ["dead letter with a wrong reason"]
    assert kinds(truth, replace(ALL_WELL, letters=[BAD, wrong, WORSE])) == ["dead letter with a wrong reason"]


def test_a_dead_letter_of_what_was_good_is_found(truth: Truth) -> None:
    good = Letter.of("rejected_by_model", {b"post_id": b"one"})
    evidence = replace(ALL_WELL, letters=[BAD, WORSE, good])
    assert kinds(truth, evidence) == ["dead letter of what had not to be refused"]


def test_what_the_database_says_of_itself_and_what_is_left_in_the_stream_are_found(truth: Truth) -> None:
    evidence = replace(ALL_WELL, complaints=["roll-ups"], waiting={"one": "unread"})
    assert kinds(truth, evidence) == ["wrong database", "unprocessed entry"]


def test_a_thousand_violations_are_told_by_their_number_and_the_first_of_them() -> None:
    truth = Truth()
    truth.offer(msgspec.structs.replace(ONE, post_id=f"{number}") for number in range(1_000))
    text = told(compare(truth, Evidence()))
    assert text.startswith("1,000 x lost post\n")
    assert text.endswith("... and 980 more")


def test_every_malformed_entry_is_refused_for_the_reason_that_its_letter_says() -> None:
    entries = bad_entries(100, "bad")
    assert len({letter for _, letter in entries}) == len(entries)
    for fields, letter in entries:
        with pytest.raises(MalformedPost) as refused:
            decode_post(fields)
        assert Letter.of(refused.value.reason, fields) == letter
    assert {letter.reason for _, letter in entries} == ENTRY_REASONS


def test_every_malformed_line_is_refused_for_the_reason_that_its_letter_says(tmp_path: Path) -> None:
    lines = bad_lines(50, "bad")
    file = tmp_path / "bad.jsonl"
    file.write_bytes(b"\n".join(line for line, _ in lines))
    with file.open("rb") as opened:
        items = [*jsonl.read(opened, file.name)]
    letters = [_letter(item) for item in items if isinstance(item, Malformed)]
    assert letters == [letter for _, letter in lines]
    assert len(set(letters)) == len(letters)


def _letter(item: Malformed) -> Letter:
    return Letter.of(item.reason, {name.encode(): value.encode() for name, value in item.fields.items()})


def test_files_hold_what_the_truth_says_of_them_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    truth, again = Truth(), Truth()
    files = write_files(tmp_path / "a", 1, 250, 100, truth)
    assert len(files) == 3
    read: list[Post | Malformed] = []
    for file in files:
        with file.open("rb") as opened:
            read += jsonl.read(opened, file.name)
    posts = [item for item in read if isinstance(item, Post)]
    assert {post.post_id: (post,) for post in posts} == truth.posts
    assert len(posts) == 250
    assert {_letter(item) for item in read if isinstance(item, Malformed)} == truth.letters
    other = write_files(tmp_path / "b", 1, 250, 100, again)
    assert [file.read_bytes() for file in files] == [file.read_bytes() for file in other]


@pytest.mark.parametrize(
    ("process", "line", "expected"),
    [
        ("worker-1", "12:00:00 [error    ] something", True),
        ("api", "Traceback (most recent call last):", True),
        ("ingester", "12:00:00 [ERROR] asyncio: task exception", True),
        ("worker-2", "12:00:00 [warning  ] waiting for a dependency", False),
        ("postgres", "ERROR:  deadlock detected", True),
        ("postgres", "FATAL:  the database system is in recovery mode", False),
        ("redis", "123:M 01 Jan 2026 12:00:00.000 # Bad file format reading the append only file", True),
        ("triton", 'E1125 23:57:00.427936 59 server.cc:241] "something"', True),
        ("undertone", "redis was killed by SIGKILL; starting it again in 0.1 s", False),
    ],
)
def test_an_error_in_a_log_is_found_unless_it_is_one_that_faults_explain(
    tmp_path: Path, process: str, line: str, expected: bool
) -> None:
    (tmp_path / f"{process}.log").write_text(f"2026-01-01 12:00:00,000 {line}\n")
    assert [*unexpected_lines(tmp_path)] == ([f"{process}: {line}"] if expected else [])
