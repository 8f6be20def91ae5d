"""What a terminal is shown: lines that fit it, and nothing that it would obey."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.table import table
from services.cli.visible import cells, shortened, visible
from services.common.dead_letters.reading import Letter


def letter(content: str = "text", post_id: str = "1", source: str = "reddit", reason: str = "too_long") -> Letter:
    fields = {b"post_id": post_id, b"source": source, b"content": content}
    raw = {name: value.encode("utf-8", "surrogatepass") for name, value in fields.items()}
    return Letter("1767225600000-0", reason, "error", 1, "1-0", "", raw)


@given(st.text(st.characters(codec=None)))
def test_nothing_that_a_terminal_obeys_passes(text: str) -> None:
    shown = visible(text)
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert all(character in "\u200c\u200d" for character in shown if unicodedata.category(character) == "Cf")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("one\ttwo\r", "one\\ttwo\\r"),
        ("é 世界 👩\u200d🚀", "é 世界 👩\u200d🚀"),
    ],
)
def test_what_is_not_seen_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(), st.integers(1, 40))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    assert cells(shortened(visible(text), width)) <= width


@given(
    st.lists(
        st.builds(letter, st.text(), st.text(), st.text(max_size=50), st.sampled_from(["r", "r" * 60])), min_size=1
    ),
    st.integers(40, 200),
)
def test_no_line_is_wider_than_the_terminal(letters: list[Letter], width: int) -> None:
    lines = table(letters, width)
    assert len(lines) == 1 + len(letters)
    assert all(cells(line) <= width for line in lines)
    assert all(line.startswith("1767225600000-0") for line in lines[1:])


def test_on_a_narrow_terminal_columns_go_before_the_text_does() -> None:
    wide, narrow = (table([letter("what it says")], width)[0].split() for width in (140, 60))
    assert wide == ["ID", "BURIED", "(UTC)", "REASON", "SOURCE", "POST", "TEXT"]
    assert narrow == ["ID", "REASON", "SOURCE", "TEXT"]
    assert table([letter("what\n it  says")], 60)[1].endswith("what it says")
