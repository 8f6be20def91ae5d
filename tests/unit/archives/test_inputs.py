"""What a file is, its name tells; what it needs and is not installed is told in a sentence."""

import importlib
import os
from pathlib import Path

import pytest

from services.archives.inputs import TextFile, kind_of, local, standard_input
from services.common.errors import ConfigurationError


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jsonl", ("jsonl", "")),
        ("a.NDJSON.GZ", ("jsonl", ".gz")),
        ("2019.01.csv.zst", ("csv", ".zst")),
        ("a.tsv", ("tsv", "")),
        ("a.parquet", ("parquet", "")),
        ("a.parquet.gz", None),
        ("a.txt", None),
        ("gz", None),
    ],
)
def test_the_name_tells_format_and_packing(name: str, kind: tuple[str, str] | None) -> None:
    assert kind_of(name) == kind


def test_a_file_that_was_written_again_has_another_stamp(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a")
    before = local(file)
    assert before == local(file)
    os.utime(file, ns=(1, 1))
    assert local(file) != before


@pytest.mark.parametrize("name", ["missing.csv", "folder.csv", "a.txt"])
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(ConfigurationError, match=name):
        local(tmp_path / name)


@pytest.mark.parametrize("suffixes", ["parquet", "xml", ""])
def test_standard_input_is_a_text(suffixes: str) -> None:
    with pytest.raises(ConfigurationError, match="standard input"):
        standard_input(suffixes)


def test_without_the_extra_lines_are_read_and_for_the_rest_its_name_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    for name in ("a.jsonl", "a.jsonl.zst"):
        (tmp_path / name).write_bytes(b"{}\n")
    file = TextFile(local(tmp_path / "a.jsonl"))
    assert file.readline(10) == b"{}\n"
    file.close()
    with pytest.raises(ConfigurationError, match=r"undertone\[archives\]"):
        TextFile(local(tmp_path / "a.jsonl.zst"))
