"""What a letter keeps: all of what may be a post, something of everything else, and the truth about it."""

from hypothesis import given
from hypothesis import strategies as st

from services.common.dead_letters.letter import (
    MAX_OTHER_FIELDS,
    MAX_VALUE_BYTES,
    DeadLetter,
    digest,
    original_fields,
    record,
)

NAMES = st.one_of(
    st.sampled_from([b"reason", b"error", b"cut", b"digest", b"original_", b"original_reason", b"post_id", b"content"]),
    st.binary(max_size=20),
)


@given(st.dictionaries(NAMES, st.binary(max_size=50), max_size=12))
def test_what_was_refused_can_be_put_together_again_whatever_its_fields_are_called(fields: dict[bytes, bytes]) -> None:
    entry = record(DeadLetter("1-0", fields, "why", "in words"))
    assert entry[b"reason"] == b"why"
    assert b"cut" not in entry
    assert original_fields(entry) == fields


def test_the_longest_valid_post_is_kept_whole() -> None:
    fields = {b"post_id": "é".encode() * 255, b"content": "😀".encode() * 40_000, b"author": "😀".encode() * 255}
    assert original_fields(record(DeadLetter("1-0", fields, "r", "e"))) == fields


def test_what_is_too_long_for_a_post_is_cut_between_characters_and_named() -> None:
    fields = {b"post_id": b"1", b"content": "😀".encode() * 40_001, b"author": b"x" + "é".encode() * 9_000}
    entry = record(DeadLetter("1-0", fields, "too_long", "e"))
    assert entry[b"cut"] == b"content, author"
    for name in (b"content", b"author"):
        assert MAX_VALUE_BYTES - 4 < len(entry[name]) <= MAX_VALUE_BYTES
        assert fields[name].startswith(entry[name])
        entry[name].decode()
    assert entry[b"post_id"] == b"1"


def test_of_what_no_post_has_only_few_and_small_fields_are_kept() -> None:
    fields = {b"post_id": b"1"} | {b"extra%d" % n: b"x" * 2_000 for n in range(100)} | {b"n" * 5_000: b""}
    entry = record(DeadLetter("1-0", fields, "r", "e"))
    assert len(original_fields(entry)) == 1 + MAX_OTHER_FIELDS
    assert entry[b"cut"].endswith(b"extra15, 85 other fields")
    assert sum(len(name) + len(value) for name, value in entry.items()) < 20_000


def test_letters_are_the_same_by_fields_and_reason_alone() -> None:
    first = DeadLetter("1-0", {b"a": b"1", b"b": b"2"}, "r", "one", 1)
    assert digest(first) == digest(DeadLetter("2-0", {b"b": b"2", b"a": b"1"}, "r", "two", 5))
    assert digest(first) != digest(DeadLetter("1-0", {b"a": b"1", b"b": b"2"}, "s", "one"))
    assert digest(first) != digest(DeadLetter("1-0", {b"a": b"1b", b"": b"2"}, "r", "one"))


def test_of_what_the_source_has_cut_the_place_counts_too() -> None:
    """Two long lines may begin alike."""
    one, other = (DeadLetter("", {b"line": b"x"}, "r", f"line {n}", cut=("line",)) for n in (1, 2))
    assert digest(one) != digest(other)
    assert record(one)[b"cut"] == b"line"
