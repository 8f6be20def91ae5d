"""Triton in a container of its own: `python3 -m services.triton.serve`, on the CPU, until SIGTERM.

Serves every model of the repository as `make run` does. Docker starts a container again that has ended, not one that is
unhealthy: so when a model has ceased to answer, this ends with the server. Standard library only.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from services.common.errors import ConfigurationError
from services.local.cores import physical_cores
from services.local.model_folders import CANARY_SUFFIX, model_names, threads_per_instance
from services.local.triton_machine import check_shared_memory
from services.local.triton_server import KILL_AFTER_S, Installation, find_installation, trace_flags
from services.local.triton_staging import stage_backends
from services.triton import health

ENVIRONMENT = Path("/opt/triton")
REPOSITORY = Path("/models")
# A tmpfs that may be executed from: the server sets the execute bit of its stub at every start.
WORK = Path("/work")
# Kept over restarts: which runtime was found to be the fastest for each model.
CACHE = Path("/cache")
# Of `--grpc-restricted-protocol`; clients send it as the header `triton-grpc-protocol-undertone-key`.
KEY_NAME = "undertone-key"
MANAGEMENT = "model-repository,model-config,shared-memory,statistics,trace,logging"
HEALTH_INTERVAL_S = 5.0
HEALTH_FAILURES = 3
# Loading and warming up: seconds for the starter models, minutes for large ones on a slow disk.
READY_TIMEOUT_S = 300.0


def command(
    installation: Installation,
    backends: Path,
    config_name: str,
    key: str,
    traces_endpoint: str = "",
    *,
    grpc_host: str = "",
    flags: Sequence[str] = (),
) -> list[str]:
    """The server for other containers: metrics everywhere, HTTP for the health check of this one.

    `grpc_host`: where gRPC listens; everywhere if empty. `flags`: what the server is given besides, as a certificate.
    """
    names = model_names(REPOSITORY, config_name)
    if not names:
        raise ConfigurationError(f"{REPOSITORY} has no model (a folder with a config.pbtxt): fill the volume `models`")
    common = installation.command("0.0.0.0", grpc_host)  # nosec B104 # on the networks of its container
    restricted = f"--grpc-restricted-protocol={MANAGEMENT}:{KEY_NAME}={key}"
    return [
        *(part for part in common if part != "--allow-http=false"),
        "--http-address=127.0.0.1",
        "--http-port=8000",
        "--http-thread-count=2",
        *([restricted] if key else []),
        f"--model-repository={REPOSITORY}",
        f"--backend-directory={backends}",
        f"--model-config-name={config_name}",
        *trace_flags(traces_endpoint),
        *flags,
        *(f"--load-model={name}" for name in names),
    ]


def environment(installation: Installation, config_name: str, settings: Mapping[str, str]) -> dict[str, str]:
    """A model has one instance, or else it was tuned and keeps the threads that were found best."""
    served = [name for name in model_names(REPOSITORY, config_name) if not name.endswith(CANARY_SUFFIX)]
    cores = physical_cores()
    return {
        **installation.environment,
        "UNDERTONE_INTRA_OP_THREADS": str(threads_per_instance(cores, len(served))),
        "UNDERTONE_CORES": str(cores),
        "UNDERTONE_CPU_SLOTS": str(WORK),
        "UNDERTONE_CPU_RUNTIME": settings.get("CPU_RUNTIME") or "auto",
        "UNDERTONE_CPU_RUNTIME_FILE": str(CACHE / "cpu_runtimes.json"),
    }


def serve(server: subprocess.Popen[bytes], stopping: threading.Event) -> int:
    """Until the server ends, is told to stop, or no longer answers. The exit status: 0 after a stop."""
    has_answered, failures, ready_by = False, 0, time.monotonic() + READY_TIMEOUT_S
    while not stopping.is_set():
        try:
            status = server.wait(HEALTH_INTERVAL_S)
            return status if stopping.is_set() else status or 1
        except subprocess.TimeoutExpired:
            pass
        try:
            health.check()
            has_answered, failures = True, 0
        except health.Unhealthy as error:
            could_answer = has_answered or isinstance(error, health.NotLoaded) or time.monotonic() > ready_by
            failures += could_answer
            if failures >= HEALTH_FAILURES:
                print(f"ends, to be started again: {error}", file=sys.stderr)
                return 1
    try:
        return server.wait(KILL_AFTER_S)
    except subprocess.TimeoutExpired:
        print(f"the server did not end within {KILL_AFTER_S:g} s", file=sys.stderr)
        return 1


def main() -> int:
    config_name = os.environ.get("TRITON_CONFIG") or "cpu"
    stopping = threading.Event()
    try:
        check_shared_memory()
        installation = find_installation(ENVIRONMENT)
        backends = stage_backends(installation.wheel, installation.stub, WORK)
        server = subprocess.Popen(
            command(
                installation,
                backends,
                config_name,
                os.environ.get("TRITON_KEY", ""),
                os.environ.get("TRACES_ENDPOINT", "").rstrip("/"),
                grpc_host=os.environ.get("TRITON_GRPC_HOST", ""),
                flags=os.environ.get("TRITON_FLAGS", "").split(),
            ),
            env=environment(installation, config_name, os.environ),
            start_new_session=True,
        )
    except (ConfigurationError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2

    def stop(number: int, frame: FrameType | None) -> None:
        # One only: a second SIGTERM during its shutdown can leave the server hanging.
        if not stopping.is_set():
            stopping.set()
            server.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        return serve(server, stopping)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


if __name__ == "__main__":
    sys.exit(main())
