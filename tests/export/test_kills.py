"""A killed export leaves the repository as it was: nothing half-made is published, loaded or left running."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil
import pytest

from export.repository import Repository
from export.triton import connected
from export.version_folder import check_files
from tests.export.checkpoints import make_distilbert
from tests.integration.triton_server import running_triton

ROOT = Path(__file__).parents[2]
# Of the kills, one in so many strikes an export that runs a Triton of its own to check the candidate.
WITH_TRITON = 5


class Commands:
    """The process that forks the commands."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.export.forked_command"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        output: IO[str] | None = self._process.stdout
        assert output is not None
        return output.readline().strip()

    def start(self, *words: str) -> int:
        """The id of the process that runs the command."""
        assert self._process.stdin is not None
        print(json.dumps(words), file=self._process.stdin, flush=True)
        return int(self._line().removeprefix("started "))

    def wait(self) -> int:
        """Its exit status; the negative signal number where it was killed."""
        return int(self._line().removeprefix("ended "))

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


@pytest.fixture
def commands() -> Iterator[Commands]:
    made = Commands()
    yield made
    made.close()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return make_distilbert(tmp_path / "checkpoint")


def words(name: str, repository: Repository, checkpoint: Path, *, triton: bool) -> list[str]:
    place = ["--model", str(checkpoint), "--repository", str(repository.folder)]
    # Each precision is loaded into a Triton of its own: with one of them it is quick.
    return [name, *place, "--precisions", "fp32", *([] if triton else ["--without-triton"])]


def running_from(folder: Path) -> list[psutil.Process]:
    """Processes that were started on something in the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(folder) in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [8, pytest.param(20, marks=pytest.mark.long)])
def test_a_killed_export_publishes_a_whole_version_or_nothing(
    commands: Commands, checkpoint: Path, tmp_path: Path, kills: int
) -> None:
    repository = Repository(tmp_path / "models")
    durations = {}
    for triton in (False, True):
        began = time.monotonic()
        commands.start(*words("sentiment", repository, checkpoint, triton=triton))
        assert commands.wait() == 0
        durations[triton] = time.monotonic() - began
    seed = random.randrange(10**6)
    print(f"seed {seed}, durations {durations}")
    moments = random.Random(seed)
    published = list(repository.versions("sentiment"))
    (tmp_path / "server").mkdir()
    with (
        running_triton(tmp_path / "server", repository.folder) as running,
        connected([f"127.0.0.1:{running.grpc_port}"]) as (server,),
    ):
        for number in range(kills):
            triton = number % WITH_TRITON == 0
            # A new model's first export in every other round: its folder does not exist yet.
            name = "sentiment" if number % 2 else f"fresh{number}"
            pid = commands.start(*words(name, repository, checkpoint, triton=triton))
            time.sleep(moments.uniform(0, durations[triton]))
            with suppress(ProcessLookupError):  # it had just ended
                os.kill(pid, signal.SIGKILL)
            status = commands.wait()
            assert status in (0, -signal.SIGKILL)
            assert_whole(repository, published if name == "sentiment" else [], name, status)
            published = repository.versions("sentiment")
            # What a Triton would load now is whole, and answers.
            for model in repository.names():
                version = repository.require_in_service(model)
                server.load(model)
                assert server.version(model) == version
                server.answer(model, version, 16)
    # The next export tidies up.
    commands.start(*words("sentiment", repository, checkpoint, triton=False))
    assert commands.wait() == 0
    leftover = [path for path in tmp_path.rglob("sentiment.*.*") if path.is_dir()]
    assert leftover == []
    deadline = time.monotonic() + 60
    while left := running_from(tmp_path):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def assert_whole(repository: Repository, before: list[int], name: str, status: int) -> None:
    found = repository.versions(name)
    assert found[: len(before)] == before
    assert len(found) <= len(before) + 1
    if status == 0:
        assert len(found) == len(before) + 1
    for version in found:
        check_files(repository.version_folder(name, version))
    folder = repository.folder / name
    assert [int(path.name) for path in sorted(folder.glob("[0-9]*"))] == found if folder.exists() else found == []
    if folder.exists():
        assert repository.in_service(name) == 1
        assert (folder / "config.pbtxt").is_file()
