"""The file of refused records has each once, whoever was stopped while it was written."""

from pathlib import Path

import msgspec
import pytest

from services.archives.reading import Refusal
from services.common.errors import ConfigurationError
from services.importing.rejects import Rejects


def refusal(row: int) -> Refusal:
    return Refusal(row=row, reason="too_long", error=f"line {row}: content is too long", fields={"content": "x"})


def rows(path: Path) -> list[int]:
    return [msgspec.json.decode(line, type=Refusal).row for line in path.read_bytes().splitlines()]


def test_while_nothing_is_refused_there_is_no_file(tmp_path: Path) -> None:
    with Rejects(tmp_path / "a", 0) as rejects:
        assert rejects.write([]) == 0
    assert not (tmp_path / "a").exists()


def test_what_was_written_behind_the_position_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with Rejects(path, 0) as rejects:
        position = rejects.write([refusal(1), refusal(2)])
        rejects.write([refusal(3)])
        with path.open("ab") as torn:
            torn.write(b'{"row": 4')
    with Rejects(path, position) as rejects:
        assert rejects.write([]) == position
        rejects.write([refusal(3), refusal(4)])
    assert rows(path) == [1, 2, 3, 4]


def test_a_new_import_begins_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for row in (1, 2):
        with Rejects(path, 0) as rejects:
            rejects.write([refusal(row)])
    assert rows(path) == [2]


def test_who_took_the_file_away_gets_the_rest(tmp_path: Path) -> None:
    with Rejects(tmp_path / "a", 1_000) as rejects:
        rejects.write([refusal(7)])
    assert rows(tmp_path / "a") == [7]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with Rejects(tmp_path / "missing" / "a", 0) as rejects, pytest.raises(ConfigurationError, match="--rejects"):
        rejects.write([refusal(1)])
