"""What a file of posts looks like: any text comes back as it was, and none of it is a formula."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.exports.formats import COLUMNS, FORMATS, FORMULAS, Format
from services.api.schemas.general import Post, PostSentiment
from tests import hostile

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
# PostgreSQL's texts have neither.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


def post(content: str, *, analysed: bool = True, author: str = "me") -> Post:
    sentiment = PostSentiment(
        label="positive", confidence=0.87, emotion="joy", emotion_confidence=0.5, model_name="=model", model_version=3
    )
    return Post(
        post_id="p",
        source="s",
        content=content,
        author=author,
        created_at=NOW,
        ingested_at=NOW,
        sentiment=sentiment if analysed else None,
    )


def file_of(format_: Format, *portions: list[Post]) -> str:
    rows = [format_.rows(posts, are_first=number == 0) for number, posts in enumerate(portions)]
    return b"".join([format_.begin, *rows, format_.end]).decode()


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def last_line(text: str) -> object:
    return json.loads(text.rsplit("\n", maxsplit=1)[-1])


def plain(cell: str) -> str:
    return cell.removeprefix("'")


def test_a_row_has_every_column() -> None:
    (row,) = table(file_of(FORMATS["csv"], [post("a, b")]))
    assert tuple(row) == COLUMNS
    assert row == {
        "post_id": "p",
        "source": "s",
        "author": "me",
        "created_at": "2026-01-02T03:04:05.678000Z",
        "ingested_at": "2026-01-02T03:04:05.678000Z",
        "content": "a, b",
        "sentiment": "positive",
        "confidence": "0.87",
        "emotion": "joy",
        "emotion_confidence": "0.5",
        "model_name": "'=model",
        "model_version": "3",
    }
    (row,) = table(file_of(FORMATS["csv"], [post("", analysed=False)]))
    assert [row[name] for name in COLUMNS[6:]] == [""] * 6


@given(TEXT, TEXT)
def test_any_text_comes_back_from_csv_and_is_no_formula(content: str, author: str) -> None:
    text = file_of(FORMATS["csv"], [post(content, author=author)], [post("next")])
    assert text.count("\r\n") >= 3
    row, following = table(text)
    assert (plain(row["content"]), plain(row["author"]), following["content"]) == (content, author, "next")
    assert not row["content"].startswith(tuple(set(FORMULAS) - {"'"}))


@pytest.mark.parametrize("content", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "'=1"])
def test_formulas_are_text(content: str) -> None:
    (row,) = table(file_of(FORMATS["csv"], [post(content)]))
    assert row["content"] == f"'{content}"


@pytest.mark.parametrize("content", hostile.TEXTS.values())
def test_any_text_comes_back_from_json(content: str) -> None:
    portions = [post(content)], [post("next"), post("last")]
    expected = [json.loads(each.model_dump_json()) for posts in portions for each in posts]
    assert json.loads(file_of(FORMATS["json"], *portions)) == expected
    text = file_of(FORMATS["ndjson"], *portions)
    assert [json.loads(line) for line in text.removesuffix("\n").split("\n")] == expected


def test_no_posts_are_a_file_too() -> None:
    assert file_of(FORMATS["csv"], []) == ",".join(COLUMNS) + "\r\n"
    assert json.loads(file_of(FORMATS["json"], [])) == []
    assert file_of(FORMATS["ndjson"], []) == ""


def test_no_reader_takes_a_broken_file_for_a_whole_one() -> None:
    for name, format_ in FORMATS.items():
        text = (format_.begin + format_.rows([post("x")], are_first=True) + format_.broken).decode()
        readers: dict[str, Callable[[str], object]] = {"csv": table, "json": json.loads, "ndjson": last_line}
        with pytest.raises((csv.Error, json.JSONDecodeError)):
            readers[name](text)
