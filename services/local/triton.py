"""The Triton server from PyPI's wheel, as a child of the supervisor."""

import os
import secrets
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from services.common.errors import ConfigurationError
from services.local.child import Child
from services.local.cores import physical_cores
from services.local.triton_machine import (
    check_port_free,
    check_shared_memory,
    python_library,
    region_prefix,
    remove_stale_regions,
)
from services.local.triton_probe import Probe
from services.local.triton_repository import model_names, read_models
from services.local.triton_staging import stage_backends

# Requests at work get so long when the server stops; a little more, and the supervisor kills it.
EXIT_TIMEOUT_S = 10
KILL_AFTER_S = EXIT_TIMEOUT_S + 5.0
# Loading and warming up: seconds for the starter models, minutes for large ones on a slow disk.
READY_TIMEOUT_S = 300.0
# Which runtime was found to be the fastest for each model on this machine.
CPU_RUNTIMES = "cpu_runtimes.json"


def triton_child(
    *,
    env_dir: Path,
    model_repository: Path,
    work_dir: Path,
    grpc_port: int,
    metrics_port: int,
    config_name: str = "cpu",
    threads: int | None = None,
    only: Sequence[str] = (),
    cpu_runtime: str = "onnxruntime",
) -> Child:
    """The server on loopback, gRPC and metrics only, serving every model of the repository, or `only` these.

    `env_dir` is made by `triton_env`; `work_dir` (to be writable and executable) is filled anew. The repository is
    served itself, so that LoadModel takes what is in it then. `threads`: intra-op threads of each model instance on
    the CPU, by default the share of the physical cores; a model that was tuned keeps its own. `cpu_runtime`: what
    computes the models on the CPU, as in the setting CPU_RUNTIME; a choice is remembered beside `work_dir`.
    ConfigurationError when the machine, a port, the environment or the repository is not as it must be.
    """
    check_port_free(grpc_port, "LOCAL_TRITON_GRPC_PORT")
    check_port_free(metrics_port, "LOCAL_TRITON_METRICS_PORT")
    check_shared_memory()
    site = next(env_dir.resolve().glob("lib/python3.*/site-packages/pytriton"), None)
    if site is None:
        raise ConfigurationError(f"{env_dir} has no Triton: run `python -m services.local.triton_env --dir {env_dir}`")
    wheel = site / "tritonserver"
    version, library = python_library(env_dir / "bin" / "python")
    stub = wheel / "python_backend_stubs" / version / "triton_python_backend_stub"
    work_dir, model_repository = work_dir.resolve(), model_repository.resolve()
    models = read_models(model_repository, config_name, only)
    backends = stage_backends(wheel, stub, work_dir)
    server_id = f"undertone-{secrets.token_hex(8)}"
    remove_stale_regions(work_dir)
    return Child(
        name="triton",
        command=[
            *_command(wheel / "bin" / "tritonserver"),
            f"--id={server_id}",
            f"--model-repository={model_repository}",
            f"--backend-directory={backends}",
            f"--model-config-name={config_name}",
            f"--backend-config=python,shm-region-prefix-name={region_prefix(work_dir)}",
            f"--grpc-port={grpc_port}",
            f"--metrics-port={metrics_port}",
        ],
        # Read again at each start: a canary may have come or gone since.
        arguments=partial(_load_models, model_repository, config_name, only),
        environment=_environment(env_dir.resolve(), site.with_name("nvidia_pytriton.libs"), library)
        | {
            "UNDERTONE_INTRA_OP_THREADS": str(threads or models.threads),
            "UNDERTONE_CORES": str(physical_cores()),
            "UNDERTONE_CPU_SLOTS": str(work_dir),
            "UNDERTONE_CPU_RUNTIME": cpu_runtime,
            "UNDERTONE_CPU_RUNTIME_FILE": str(work_dir.with_name(CPU_RUNTIMES)),
        },
        ready=Probe(f"127.0.0.1:{grpc_port}", server_id, list(models.required.values())),
        cwd=work_dir,
        stop_timeout_s=KILL_AFTER_S,
        ready_timeout_s=READY_TIMEOUT_S,
        # A killed stub is not started again by the server, which goes on calling itself ready and, told to stop, waits
        # for answers that never come.
        health_interval_s=2.0,
        health_failures=3,
        killed_when_unhealthy=True,
    )


def _load_models(model_repository: Path, config_name: str, only: Sequence[str]) -> list[str]:
    return [f"--load-model={name}" for name in only or model_names(model_repository, config_name)]


def _command(binary: Path) -> list[str]:
    # pip keeps the execute bit of a wheel's file only if it was packed with one.
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return [
        str(binary),
        # Other versions come into service by LoadModel.
        "--model-control-mode=explicit",
        # A broken canary is no reason to serve nothing. The probe tells when a model that has to be there is not.
        "--exit-on-error=false",
        "--strict-readiness=false",
        "--disable-auto-complete-config",
        "--allow-http=false",
        "--grpc-address=127.0.0.1",
        "--metrics-address=127.0.0.1",
        "--allow-gpu-metrics=false",
        "--metrics-config=summary_latencies=true",
        f"--exit-timeout-secs={EXIT_TIMEOUT_S}",
        # Pinned memory is the GPU's: without one, the server only warns that it has none.
        "--pinned-memory-pool-byte-size=0",
        "--log-info=false",
    ]


def _environment(env_dir: Path, wheel_libraries: Path, python_library: Path) -> dict[str, str]:
    """The stub embeds Python, which finds its packages through the first `python3` on PATH."""
    return {
        "PATH": os.pathsep.join([str(env_dir / "bin"), os.defpath]),
        "LD_LIBRARY_PATH": os.pathsep.join([str(wheel_libraries), str(python_library)]),
        "LC_ALL": "C.UTF-8",
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONNOUSERSITE": "1",
        # The staged backend is thrown away at the next start: compiled files beside it would serve nobody.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
