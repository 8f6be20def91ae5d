"""Triton servers for tests: real ones, on free loopback ports, ended with everything they started."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from services.inference.access import OPEN, Access
from services.local.child import Child
from services.local.triton import triton_child
from services.local.triton_env import ensure_env
from services.local.triton_machine import remove_stale_regions
from services.local.triton_probe import Probe
from tests.ports import free_ports

PROJECT = Path(__file__).parents[2]


class Running(NamedTuple):
    grpc_port: int
    metrics_port: int
    pid: int


def environment() -> Path:
    """Triton's environment, the one of `make run`; installed first where it is missing."""
    return ensure_env(PROJECT / os.environ.get("LOCAL_DIR", ".local") / "triton" / "env")


def child_of(work_dir: Path, model_repository: Path, ports: Sequence[int], flags: Sequence[str] = ()) -> Child:
    child = triton_child(
        env_dir=environment(),
        model_repository=model_repository,
        work_dir=work_dir,
        grpc_port=ports[0],
        metrics_port=ports[1],
        threads=1,
    )
    return replace(child, command=[*child.command, *flags])


@contextlib.contextmanager
def running_triton(
    work_dir: Path,
    model_repository: Path,
    flags: Sequence[str] = (),
    answering: Sequence[str] | None = None,
    access: Access = OPEN,
) -> Iterator[Running]:
    """A server that answers for these models, by default for all. For code outside an event loop, as fixtures are."""
    ports = free_ports(2)
    child = child_of(work_dir, model_repository, ports, flags)
    probe = child.ready
    assert isinstance(probe, Probe)
    configs = [config for config in probe.configs if answering is None or config.name in answering]
    child = replace(child, ready=Probe(probe.url, probe.server_id, configs, access))
    with started(child) as process:
        yield Running(ports[0], ports[1], process.pid)


@contextlib.contextmanager
def started(child: Child, *, until_ready: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """The child in a session of its own, killed at the end. Its log is in its work folder."""
    log = child.cwd / "triton.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*child.command, *child.arguments()],
            env=dict(child.environment),
            cwd=child.cwd,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        if until_ready:
            wait_ready(child, process, log)
        yield process
    finally:
        # Told to stop, it takes three seconds. Tests of how it stops tell it to themselves.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # A server that was killed leaves its shared memory.
        remove_stale_regions(child.cwd)


def wait_ready(child: Child, process: subprocess.Popen[bytes], log: Path, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not asyncio.run(_ready(child)):
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"Triton did not get ready:\n{log.read_text()}")
        time.sleep(0.1)


async def _ready(child: Child) -> bool:
    return await child.ready()
