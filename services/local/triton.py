"""The Triton server from PyPI's wheel, as a child of the supervisor."""

import os
import secrets
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from services.local.child import Child
from services.local.cores import physical_cores
from services.local.model_folders import model_names, on_gpu
from services.local.triton_machine import (
    check_gpu,
    check_port_free,
    check_shared_memory,
    region_prefix,
    remove_stale_regions,
)
from services.local.triton_probe import Probe
from services.local.triton_repository import read_models
from services.local.triton_server import KILL_AFTER_S, find_installation, trace_flags
from services.local.triton_staging import stage_backends

# Loading and warming up: seconds for the starter models, minutes for large ones on a slow disk.
READY_TIMEOUT_S = 300.0
# Which runtime was found to be the fastest for each model on this machine.
CPU_RUNTIMES = "cpu_runtimes.json"
# Of our backend on a GPU, and which GPUs there are.
GPU_SWITCHES = ("UNDERTONE_GPU_GRAPHS", "UNDERTONE_GPU_PINNED", "CUDA_VISIBLE_DEVICES")


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
    traces_endpoint: str = "",
) -> Child:
    """The server on loopback, gRPC and metrics only, serving every model of the repository, or `only` these.

    `env_dir` is made by `triton_env`; `work_dir` (to be writable and executable) is filled anew. The repository is
    served itself, so that LoadModel takes what is in it then. `config_name`: which of a model's configurations, one for
    a GPU if it begins with gpu. `threads`: intra-op threads of each model instance on
    the CPU, by default the share of the physical cores; a model that was tuned keeps its own. `cpu_runtime`: what
    computes the models on the CPU, as in the setting CPU_RUNTIME; a choice is remembered beside `work_dir`.
    `traces_endpoint`: where its spans go, as in the setting TRACES_ENDPOINT.
    ConfigurationError when the machine, a port, the environment or the repository is not as it must be.
    """
    check_port_free(grpc_port, "LOCAL_TRITON_GRPC_PORT")
    check_port_free(metrics_port, "LOCAL_TRITON_METRICS_PORT")
    check_shared_memory()
    if on_gpu(config_name):
        check_gpu()
    installation = find_installation(env_dir)
    work_dir, model_repository = work_dir.resolve(), model_repository.resolve()
    models = read_models(model_repository, config_name, only)
    backends = stage_backends(installation.wheel, installation.stub, work_dir)
    server_id = f"undertone-{secrets.token_hex(8)}"
    remove_stale_regions(work_dir)
    return Child(
        name="triton",
        command=[
            *installation.command(gpu=on_gpu(config_name)),
            f"--id={server_id}",
            f"--model-repository={model_repository}",
            f"--backend-directory={backends}",
            f"--model-config-name={config_name}",
            f"--backend-config=python,shm-region-prefix-name={region_prefix(work_dir)}",
            f"--grpc-port={grpc_port}",
            f"--metrics-port={metrics_port}",
            *trace_flags(traces_endpoint),
        ],
        # Read again at each start: a canary may have come or gone since.
        arguments=partial(_load_models, model_repository, config_name, only),
        environment={
            **installation.environment,
            "UNDERTONE_INTRA_OP_THREADS": str(threads or models.threads),
            "UNDERTONE_CORES": str(physical_cores()),
            "UNDERTONE_CPU_SLOTS": str(work_dir),
            "UNDERTONE_CPU_RUNTIME": cpu_runtime,
            "UNDERTONE_CPU_RUNTIME_FILE": str(work_dir.with_name(CPU_RUNTIMES)),
            # Whoever measures switches them; see docs/models.md.
            **{name: os.environ[name] for name in GPU_SWITCHES if name in os.environ},
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
