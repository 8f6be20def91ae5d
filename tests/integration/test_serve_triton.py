"""`python -m services.local.serve_triton` as a program: a ready line, an end with its standard input, nothing left."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import psutil
import pytest
from tritonclient.grpc import InferenceServerClient

from tests.integration import triton_models as models
from tests.integration.supervision import is_gone
from tests.integration.triton_requests import infer, posts
from tests.integration.triton_server import PROJECT, environment
from tests.ports import free_ports

CONTENT = models.model(models.classifier())
PATIENCE_S = 30.0


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    models.write(tmp_path / "repository", "first", models.config("first"), CONTENT)
    models.write(tmp_path / "repository", "second", models.config("second"), CONTENT)
    return tmp_path / "repository"


def command(repository: Path, work_dir: Path, *arguments: str) -> list[str]:
    folders = [f"--model-repository={repository}", f"--env-dir={environment()}", f"--work-dir={work_dir}"]
    return [sys.executable, "-m", "services.local.serve_triton", *folders, "--threads=1", *arguments]


@contextmanager
def serving(words: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        words, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ready_line(process: subprocess.Popen[str]) -> dict[str, int]:
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    told: dict[str, int] = json.loads(line)
    return told


def refused(words: Sequence[str]) -> str:
    """What a run says that does not get ready."""
    with serving(words) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        told = process.stderr.read()
        assert process.wait(PATIENCE_S) == 1
        assert not process.stdout.read()
        return told


def family(pid: int) -> list[int]:
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def regions(process_id: int) -> list[Path]:
    """The shared memory of the server that this process started."""
    return list(Path("/dev/shm").glob(f"undertone_{process_id}_*"))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_answers_when_it_says_so_and_ends_with_its_standard_input(repository: Path, tmp_path: Path) -> None:
    with serving(command(repository, tmp_path / "work")) as process:
        told = ready_line(process)
        with InferenceServerClient(f"127.0.0.1:{told['grpc_port']}") as client:
            for name in ("first", "second"):
                logits = infer(client, name, posts(2, 16)).as_numpy("logits")
                assert logits.shape == (2, 3)
                assert np.isfinite(logits).all()
        with urlopen(f"http://127.0.0.1:{told['metrics_port']}/metrics", timeout=5) as response:
            assert b"nv_inference_count" in response.read()
        members = family(process.pid)
        assert told["pid"] in members
        assert len(regions(process.pid)) == 2
        out, _ = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, out) == (0, "")
        assert all(map(is_gone, members))
        assert not regions(process.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_a_signal(repository: Path, tmp_path: Path, number: signal.Signals) -> None:
    with serving(command(repository, tmp_path / "work", "--load", "second")) as process:
        told = ready_line(process)
        with InferenceServerClient(f"127.0.0.1:{told['grpc_port']}") as client:
            assert client.is_model_ready("second")
            assert not client.is_model_ready("first")
        members = family(process.pid)
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == "Signal (15) received.\n", "the server was asked, once"
        assert all(map(is_gone, members))
        assert not regions(process.pid)


def test_it_ends_during_the_start(repository: Path, tmp_path: Path) -> None:
    with serving(command(repository, tmp_path / "work")) as process:
        wait_until(lambda: len(family(process.pid)) > 2)
        members = family(process.pid)
        assert process.communicate(timeout=PATIENCE_S)[0] == ""
        assert process.returncode == 0
        assert all(map(is_gone, members))
        assert not regions(process.pid)


def test_a_killed_parent_leaves_nothing(repository: Path, tmp_path: Path) -> None:
    parent = "import subprocess, sys; subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE).wait()"
    with serving([sys.executable, "-c", parent, *command(repository, tmp_path / "work")]) as process:
        ready_line(process)
        _, own, *others = family(process.pid)
        assert len(others) == 4, "the guardian, the server and its two stubs"
        process.kill()
        wait_until(lambda: all(map(is_gone, [own, *others])))
        assert not regions(own)


def test_killed_itself_it_leaves_no_process(repository: Path, tmp_path: Path) -> None:
    with serving(command(repository, tmp_path / "work")) as process:
        ready_line(process)
        members = family(process.pid)
        process.kill()
        process.wait()
        wait_until(lambda: all(map(is_gone, members)))


def test_a_model_that_does_not_load_is_told_first(repository: Path, tmp_path: Path) -> None:
    bad = models.config("second", outputs=[models.tensor("logits", "FP32", "7")])
    (repository / "second" / "config.pbtxt").write_text(bad)
    first, *log = refused(command(repository, tmp_path / "work")).splitlines()
    assert first.startswith("error: Triton failed to load 'second' version 1: ")
    assert "the model's shape is [-1,3] but the configuration specifies [-1,7]" in first
    assert 1 <= len(log) <= 20
    assert any(line.startswith("  E") and "failed to load 'second'" in line for line in log)


def test_a_server_that_ends_by_itself_is_told(repository: Path, tmp_path: Path) -> None:
    """In the start, with what it said last; and while it serves."""
    (tmp_path / "one").mkdir()
    ports = free_ports(1)
    with serving(command(repository, tmp_path / "one", f"--grpc-port={ports[0]}")) as process:
        told = ready_line(process)
        assert told["grpc_port"] == ports[0]
        assert f"Triton's port {ports[0]} cannot be used" in refused(
            command(repository, tmp_path / "two", f"--grpc-port={ports[0]}")
        )
        os.kill(told["pid"], signal.SIGKILL)
        assert process.wait(PATIENCE_S) == 1
        assert process.stderr is not None
        assert process.stderr.readline() == "error: Triton was killed by SIGKILL\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--load", "third"], "has no model third; there are first, second"),
        (["--env-dir", "/nowhere"], "/nowhere has no Triton: run `python -m services.local.triton_env --dir /nowhere`"),
        (["--model-repository", "/nowhere"], "/nowhere has no model"),
    ],
)
def test_what_is_missing_is_told_in_one_sentence(
    repository: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    told = refused(command(repository, tmp_path / "work", *arguments))
    assert told.startswith("error: ")
    assert words in told
    assert told.count("\n") == 1


def test_it_says_when_the_time_is_over(repository: Path, tmp_path: Path) -> None:
    """A warm-up of many seconds, and a second to get ready."""
    sample = "".join(
        f'inputs {{ key: "{name}" value {{ data_type: TYPE_INT64 dims: [ 16 ] zero_data: true }} }} '
        for name in ("input_ids", "attention_mask")
    )
    text = models.config("slow", extra=f'model_warmup {{ name: "w" batch_size: 1 count: 1000 {sample} }}')
    models.write(repository, "slow", text, models.model(models.classifier(products=40)))
    told = refused(command(repository, tmp_path / "work", "--ready-timeout", "1"))
    assert told.startswith("error: Triton was not ready within 1 s\n")
