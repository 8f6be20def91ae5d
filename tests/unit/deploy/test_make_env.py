"""The file of passwords: complete, private, and never changed where it has a value."""

import hashlib
import re
import stat
from pathlib import Path

import pytest

from deploy import make_env
from tests.unit.deploy import COMPOSE_FILES


def test_everything_that_compose_asks_for_is_made(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    assert make_env.main(["--file", str(path)]) == 0
    values = make_env.read_values(path.read_text())
    asked = {name for file in COMPOSE_FILES for name in re.findall(r"\$\{(\w+):\?", file.read_text())}
    assert asked
    assert asked <= set(values)
    assert len(set(values.values())) == len(values)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_there_stays_and_what_is_empty_is_filled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / ".env"
    before = "# mine\nPOSTS_PER_MINUTE=5\nTRITON_KEY=mine\nexport API_KEYS=me=read:00\nREDIS_API_PASSWORD="
    path.write_text(before)
    path.chmod(0o644)
    make_env.main(["--file", str(path)])
    text = path.read_text()
    assert text.startswith(before + "\n")
    values = make_env.read_values(text)
    assert (values["TRITON_KEY"], values["API_KEYS"]) == ("mine", "me=read:00")
    assert len(values["REDIS_API_PASSWORD"]) == 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "ut_" not in capsys.readouterr().out
    make_env.main(["--file", str(path)])
    assert path.read_text() == text


def test_the_shown_keys_are_those_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / ".env"
    make_env.main(["--file", str(path)])
    shown = dict(re.findall(r"^  (\w+) +(ut_[\w-]{43}) ", capsys.readouterr().out, re.MULTILINE))
    entries = make_env.read_values(path.read_text())["API_KEYS"].split(",")
    assert entries == [
        f"{name}={make_env.API_KEYS[name]}:{hashlib.sha256(key.encode()).hexdigest()}" for name, key in shown.items()
    ]
    assert len(shown) == 3
    for key in shown.values():
        assert key not in path.read_text()


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_env.main(["--file", str(tmp_path / "nowhere" / ".env")]) == 1
    assert "error: " in capsys.readouterr().err
