"""A Triton of our own for a moment, on loopback: the embedded server, over a repository of links.

It is started as a command, because the exporter imports nothing of the services.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from export.errors import ExportError

PROJECT = Path(__file__).parents[2]
SERVER = (sys.executable, "-m", "services.local.serve_triton")
# Loading and warming up: seconds for small models, minutes for large ones on a slow disk.
READY_TIMEOUT_S = 300.0
# It finishes what it works on, and kills what does not end, well within this.
STOP_TIMEOUT_S = 30.0


class LoadFailed(Exception):
    """Triton does not serve the repository; the message is the line of its log that says why."""


@dataclass(frozen=True)
class Running:
    """A server that is ready. `url` is host:port of its gRPC."""

    url: str
    metrics_url: str


def environment_folder(config_name: str = "cpu") -> Path:
    """Where Triton's environment for that configuration lies, as for `make run`."""
    name = "env-gpu" if config_name.startswith("gpu") else "env"
    return PROJECT / (os.environ.get("LOCAL_DIR") or ".local") / "triton" / name


def require_environment(folder: Path | None = None) -> None:
    """ExportError where Triton is not installed."""
    folder = folder or environment_folder()
    if not any(folder.glob("lib/python3.*/site-packages/pytriton")):
        raise ExportError(
            "Triton is not installed here: install it with `python -m services.local.triton_env`, or leave out what "
            "needs it with --without-triton"
        )


@contextmanager
def private_triton(repository: Path, *, config_name: str = "cpu") -> Iterator[Running]:
    """Serves every model of `repository` by its `configs/<config_name>.pbtxt` until the block ends.

    LoadFailed where a model does not load; ExportError where the server cannot be started at all.
    """
    require_environment()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*SERVER, "--model-repository", str(repository), "--config-name", config_name],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            # A Ctrl-C in the terminal is for us; the server ends with its standard input.
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield _ready(process, process.stdout, log)
        finally:
            process.stdin.close()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def _ready(process: subprocess.Popen[bytes], stdout: IO[bytes], log: IO[bytes]) -> Running:
    # A read cannot be given up, a process can: its end ends the read.
    too_late = threading.Timer(READY_TIMEOUT_S, process.kill)
    too_late.start()
    try:
        line = stdout.readline()
    finally:
        too_late.cancel()
    if not line:
        process.wait()
        log.seek(0)
        raise LoadFailed(reason(log.read().decode(errors="replace")) or f"the server ended with {process.returncode}")
    told = json.loads(line)
    return Running(f"127.0.0.1:{told['grpc_port']}", f"http://127.0.0.1:{told['metrics_port']}/metrics")


def reason(log: str) -> str:
    """The line of a server's log that says what is wrong: the last one of an error, else the last one."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    return (errors or lines or [""])[-1].removeprefix("error: ")


def place(repository: Path, name: str, version_folder: Path, config: str, *, config_name: str = "cpu") -> None:
    """A model in a private repository: its version as a link, and that configuration alone."""
    configs = repository / name / "configs"
    configs.mkdir(parents=True)
    (configs / f"{config_name}.pbtxt").write_text(config, encoding="utf-8")
    (repository / name / "config.pbtxt").symlink_to(f"configs/{config_name}.pbtxt")
    (repository / name / version_folder.name).symlink_to(version_folder.resolve())
