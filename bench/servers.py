"""A Triton alone, as `make run` starts it, for what is measured without the rest of the system."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.paths import WORK
from services.local.triton import CPU_RUNTIMES, triton_child
from tests.integration.triton_server import environment, started, wait_ready
from tests.ports import free_ports

# A model of full size is warmed up at all its lengths first.
READY_TIMEOUT_S = 600.0
# Where the servers of all measurements note their runtimes: beside their folders.
CHOICES = WORK / CPU_RUNTIMES


@contextmanager
def triton(
    repository: Path,
    only: Sequence[str] = (),
    *,
    env_dir: Path | None = None,
    config_name: str = "cpu",
    settings: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """`host:port` of a server with every model of the repository, or `only` these, on all cores of the machine.

    `env_dir`: Triton's environment, by default that of `make run`; `settings`: what its environment has besides.
    """
    with scratch_folder("triton") as folder:
        grpc_port, metrics_port = free_ports(2)
        child = triton_child(
            env_dir=env_dir or environment(),
            model_repository=repository,
            work_dir=folder,
            grpc_port=grpc_port,
            metrics_port=metrics_port,
            only=only,
            cpu_runtime="auto",
            config_name=config_name,
        )
        child = replace(child, environment={**child.environment, **(settings or {})})
        with started(child, until_ready=False) as process:
            wait_ready(child, process, child.cwd / "triton.log", READY_TIMEOUT_S)
            yield f"127.0.0.1:{grpc_port}"


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """An empty folder below `.local/bench/`, removed afterwards. PostgreSQL's user must be able to enter it."""
    WORK.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=WORK))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
