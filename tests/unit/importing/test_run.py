"""What cannot be imported is told before anything is published, all of it at once."""

import json
from pathlib import Path

import pytest

from services.cli.arguments import parse
from services.common.errors import ConfigurationError
from services.common.settings import Settings
from services.importing.run import run


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["missing.csv"], "missing.csv"),
        (["a.txt"], "no known suffix"),
        (["-"], "--format"),
        (["-", "--format", "parquet"], "standard input is a text"),
        (["bare.csv"], "--created-at-column"),
        (["good.jsonl", "bare.csv", "empty.csv"], "empty.csv has no records"),
    ],
)
def test_what_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("text")
    Path("bare.csv").write_text("content\nhello\n")
    Path("empty.csv").write_text("content,created_at\n")
    Path("good.jsonl").write_text(json.dumps({"content": "hello", "created_at": "2026-01-31"}) + "\n")
    settings = Settings(_env_file=None, redis_url="redis://127.0.0.1:1/0")
    with pytest.raises(ConfigurationError, match=told):
        run(settings, parse(["import", *arguments]))
