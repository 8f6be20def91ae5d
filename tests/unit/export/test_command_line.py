"""The command line: what is understood, what is refused, and that refusals are one sentence."""

import json
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from export import arguments
from export.arguments import DEFAULT_CHECKPOINTS, checkpoint_of, parse
from export.commands import verify_options
from export.gates.speed import SpeedOptions
from export.repository import Repository
from export.verify import VerifyOptions
from services.common.settings import Settings
from tests.conftest import ROOT
from tests.unit.export.versions import publish


def run(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The real command, in a process of its own."""
    command = [sys.executable, "-m", "export", *words]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_word_export_may_be_left_out() -> None:
    assert parse(["sentiment"]) == parse(["export", "sentiment"])
    options = parse(["emotion", "--model", "m", "--precisions", "int8,fp16", "--version", "7"])
    assert (options.command, options.name, options.version) == ("export", "emotion", 7)
    assert options.precisions == ("fp16", "int8", "trt")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "COMMAND"),
        (["Sentiment"], "no name for a model"),
        (["sentiment_canary"], "no name for a model"),
        (["../sentiment"], "no name for a model"),
        (["sentiment", "--precisions", "fp8"], "fp32, fp16, int8"),
        (["sentiment", "--precisions", ""], "fp32, fp16, int8"),
        (["sentiment", "--version", "0"], "no positive number"),
        (["promote", "sentiment", "--canary", "101"], "1 to 100"),
        (["promote", "sentiment", "two"], "no positive number"),
        (["remove", "sentiment"], "version"),
        (["tune", "sentiment"], "--latency-ms"),
        (["tune", "sentiment", "--latency-ms", "nan"], "no positive number"),
        (["tune", "sentiment", "--latency-ms", "5", "--threads", "1,x"], "no positive number"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(words)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("command", ["export", "verify"])
def test_the_gates_are_set_by_options(command: str) -> None:
    assert verify_options(parse([command, "sentiment"])) == VerifyOptions()
    words = ["--allow-slower", "--min-speed", "0.5", "--max-accuracy-loss", "3", "--without-triton", "--data", "a.tsv"]
    assert verify_options(parse([command, "sentiment", *words, "--texts", "b.txt"])) == VerifyOptions(
        labelled=Path("a.tsv"),
        texts=Path("b.txt"),
        max_accuracy_loss=3.0,
        without_triton=True,
        speed=SpeedOptions(min_ratio=0.5, allow_slower=True),
    )


@pytest.mark.parametrize("command", arguments.COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([command, "--help"])
    assert ended.value.code == 0
    assert "--repository" in capsys.readouterr().out


def test_the_examples_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    examples = [line.split("  ")[1] for line in arguments.EXAMPLES.splitlines() if line.startswith("  python")]
    assert len(examples) > 5
    for example in examples:
        parse(example.removeprefix("python -m export ").split())


def test_default_checkpoints_are_pinned_and_those_of_the_settings() -> None:
    assert DEFAULT_CHECKPOINTS["sentiment"][0] == Settings.model_fields["huggingface_model"].default
    assert DEFAULT_CHECKPOINTS["emotion"][0] == Settings.model_fields["emotion_model"].default
    assert all(len(revision) == 40 for _, revision in DEFAULT_CHECKPOINTS.values())


def test_which_checkpoint_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HUGGINGFACE_MODEL", "EMOTION_MODEL"):
        monkeypatch.delenv(name, raising=False)
    default, pinned = DEFAULT_CHECKPOINTS["sentiment"]
    assert checkpoint_of("sentiment", None, None) == (default, pinned)
    assert checkpoint_of("sentiment", None, "abc") == (default, "abc")
    assert checkpoint_of("sentiment", "acme/mine", None) == ("acme/mine", None)
    assert checkpoint_of("toxicity", None, None) is None
    (tmp_path / ".env").write_text("HUGGINGFACE_MODEL=acme/from-file\n")
    # The pinned revision is one of the default checkpoint.
    assert checkpoint_of("sentiment", None, None) == ("acme/from-file", None)
    monkeypatch.setenv("HUGGINGFACE_MODEL", "acme/from-environment")
    assert checkpoint_of("sentiment", None, None) == ("acme/from-environment", None)
    monkeypatch.setenv("HUGGINGFACE_MODEL", default)
    assert checkpoint_of("sentiment", None, None) == (default, pinned)


def test_the_console_script_is_the_command() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"]["undertone-models"].partition(":")
    assert callable(getattr(import_module(module), function))


def test_list_tells_what_there_is_in_text_and_json(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "models")
    empty = run("list", "--offline", "--repository", str(repository.folder))
    assert "has no models yet" in empty.stdout
    publish(repository)
    publish(repository)
    path = repository.version_folder("sentiment", 2) / "version.json"
    path.write_text("{")
    text = run("list", "--offline", "--repository", str(repository.folder))
    assert text.returncode == 0
    assert "in service" in text.stdout.splitlines()[1]
    assert "damaged" in text.stdout.splitlines()[2]
    rows = json.loads(run("list", "--json", "--offline", "--repository", str(repository.folder)).stdout)
    assert [(row["version"], row["in_service"], row["precisions"]) for row in rows] == [
        (1, True, ["fp32", "fp16", "trt"]),
        (2, False, []),
    ]


def test_a_refusal_is_one_sentence_without_a_traceback(tmp_path: Path) -> None:
    refused = run("promote", "sentiment", "--offline", "--repository", str(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr == f"error: {tmp_path} has no model sentiment: export one first\n"
    away = run("promote", "sentiment", "--triton", "127.0.0.1:1", "--repository", str(ROOT / "model_repository"))
    assert away.returncode == 1
    assert away.stderr.startswith("error: Triton at 127.0.0.1:1 is not reachable")


def test_offline_promotions_and_rollbacks_switch_the_repository(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "models")
    for _ in range(2):
        publish(repository)
    place = ("--offline", "--repository", str(repository.folder))
    assert "version 2 is in service" in run("promote", "sentiment", *place).stdout
    assert repository.in_service("sentiment") == 2
    assert "version 1 is in service again" in run("rollback", "sentiment", *place).stdout
    assert "10 % of the batches" in run("promote", "sentiment", "2", "--canary", "10", *place).stdout
    assert repository.canary("sentiment") == (2, 10)
    assert run("remove", "sentiment", "2", "--repository", str(repository.folder)).returncode == 1
    assert "has ended" in run("canary", "sentiment", "--stop", "--metrics", "http://127.0.0.1:1/", *place).stdout
    assert "is removed" in run("remove", "sentiment", "2", "--repository", str(repository.folder)).stdout
    assert repository.versions("sentiment") == [1]
