"""Labelled texts: every format that is promised, and errors that name the line."""

import gzip
from pathlib import Path

import pytest

from export.errors import ExportError
from export.evidence.labelled import Example, read_labelled, sample
from tests.hostile import deep

LABELS = ("joy", "Fear", "neutral")


def write(path: Path, text: str) -> Path:
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz"])
def test_tab_separated(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "so\thappy\tjoy\nhelp!\tfear,JOY\r\n\nline\u2028break\tneutral")
    assert read_labelled(path, LABELS) == [
        Example("so\thappy", (0,)),
        Example("help!", (1, 0)),
        Example("line\u2028break", (2,)),
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_json_lines(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, '{"text": "a\\nb", "label": "joy"}\n{"text": "c", "labels": ["Fear", "joy"]}\n')
    assert read_labelled(path, LABELS) == [Example("a\nb", (0,)), Example("c", (1, 0))]


@pytest.mark.parametrize(
    ("name", "line", "says"),
    [
        ("a.tsv", "no tab", "line 2: expected text<TAB>label"),
        ("a.tsv", "\tjoy", "line 2: expected text<TAB>label"),
        ("a.tsv", "text\t", "line 2: expected text<TAB>label"),
        ("a.tsv", "text\tjoy,", "line 2: expected text<TAB>label"),
        ("a.tsv", "text\tanger", "line 2: the model has no label 'anger', only joy, Fear, neutral"),
        ("a.jsonl", '{"text": "a", "label": "anger"}', "line 2: the model has no label 'anger'"),
        ("a.jsonl", '{"text": "a"}', "line 2: expected {"),
        ("a.jsonl", '{"text": "a", "labels": []}', "line 2: expected {"),
        ("a.jsonl", '{"text": 1, "label": "joy"}', "line 2: expected {"),
        ("a.jsonl", "[1]", "line 2: expected {"),
        ("a.jsonl", r'{"text": "\ud800", "label": "joy"}', "line 2: expected {"),
        ("a.jsonl", r'{"text": "a", "label": "\udc00"}', "line 2: expected {"),
        ("a.jsonl", deep(100_000, "text").decode(), "line 2: expected {"),
        ("a.jsonl", "{", "line 2: expected {"),
    ],
    ids=range(14),
)
def test_a_bad_line_is_named(tmp_path: Path, name: str, line: str, says: str) -> None:
    good = "fine\tjoy\n" if name == "a.tsv" else '{"text": "fine", "label": "joy"}\n'
    with pytest.raises(ExportError) as error:
        read_labelled(write(tmp_path / name, good + line), LABELS)
    assert says in str(error.value)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="No such file"):
        read_labelled(tmp_path / "missing.tsv", LABELS)
    with pytest.raises(ExportError, match="no file of labelled texts"):
        read_labelled(write(tmp_path / "a.csv", "text,joy"), LABELS)
    with pytest.raises(ExportError, match="no examples"):
        read_labelled(write(tmp_path / "a.tsv", "\n"), LABELS)
    (tmp_path / "b.tsv").write_bytes(b"caf\xe9\tjoy\n")
    with pytest.raises(ExportError, match="cannot be read"):
        read_labelled(tmp_path / "b.tsv", LABELS)
    packed = gzip.compress(b"text\tjoy\n" * 1000)
    for damaged in (packed[:-20], packed[:10] + b"\xff" * 20, b"text\tjoy\n", packed[:3]):
        (tmp_path / "c.tsv.gz").write_bytes(damaged)
        with pytest.raises(ExportError, match="cannot be read"):
            read_labelled(tmp_path / "c.tsv.gz", LABELS)


def test_a_sample_is_spread_and_always_the_same() -> None:
    examples = [Example(str(number), (0,)) for number in range(10)]
    assert [example.text for example in sample(examples, 4)] == ["0", "2", "5", "7"]
    assert sample(examples, 10) == sample(examples, 11) == examples
