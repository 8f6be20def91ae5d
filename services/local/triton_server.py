"""The wheel's server in its environment: where its parts lie, and how it is started whoever starts it.

Standard library only: the container that runs nothing but Triton has no other packages.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.common.errors import ConfigurationError
from services.local.triton_machine import driver_folders, python_library

# Requests at work get so long when the server stops; a little more, and who started it kills it.
EXIT_TIMEOUT_S = 10
KILL_AFTER_S = EXIT_TIMEOUT_S + 5.0
# Triton's own default: requests and answers of several batches.
PINNED_POOL_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Installation:
    """`wheel`: the folder with the server and its backend; `stub`: the backend's, for the environment's Python."""

    wheel: Path
    stub: Path
    environment: Mapping[str, str]

    def command(self, host: str = "127.0.0.1", grpc_host: str = "", *, gpu: bool = False) -> list[str]:
        """The server with metrics and gRPC on that address, gRPC on another if one is given; no HTTP, no model.

        `gpu`: whether a model computes on one.
        """
        binary = self.wheel / "bin" / "tritonserver"
        # pip keeps the execute bit of a wheel's file only if it was packed with one.
        if not os.access(binary, os.X_OK):
            binary.chmod(0o755)
        return [
            str(binary),
            # Other versions come into service by LoadModel.
            "--model-control-mode=explicit",
            # A broken canary is no reason to serve nothing. A probe tells when a model that has to be there is not.
            "--exit-on-error=false",
            "--strict-readiness=false",
            "--disable-auto-complete-config",
            "--allow-http=false",
            f"--grpc-address={grpc_host or host}",
            f"--metrics-address={host}",
            f"--allow-gpu-metrics={str(gpu).lower()}",
            "--metrics-config=summary_latencies=true",
            f"--exit-timeout-secs={EXIT_TIMEOUT_S}",
            # Pinned memory is the GPU's: without one, the server only warns that it has none.
            f"--pinned-memory-pool-byte-size={PINNED_POOL_BYTES if gpu else 0}",
            "--log-info=false",
        ]


def find_installation(env_dir: Path) -> Installation:
    """ConfigurationError where `triton_env` has not made that environment, or its Python lacks its library."""
    env_dir = env_dir.resolve()
    site = next(env_dir.glob("lib/python3.*/site-packages/pytriton"), None)
    if site is None:
        raise ConfigurationError(f"{env_dir} has no Triton: run `python -m services.local.triton_env --dir {env_dir}`")
    wheel = site / "tritonserver"
    version, library = python_library(env_dir / "bin" / "python")
    stub = wheel / "python_backend_stubs" / version / "triton_python_backend_stub"
    libraries = [site.with_name("nvidia_pytriton.libs"), library, *sorted(site.parent.glob("nvidia/*/lib"))]
    libraries += driver_folders()
    return Installation(wheel, stub, _environment(env_dir, libraries))


def trace_flags(endpoint: str) -> list[str]:
    """Triton's own spans go to this collector; none without. Only requests that bring a `traceparent` are traced."""
    if not endpoint:
        return []
    return [
        "--trace-config=mode=opentelemetry",
        "--trace-config=level=TIMESTAMPS",
        "--trace-config=rate=0",
        f"--trace-config=opentelemetry,url={endpoint}/v1/traces",
        "--trace-config=opentelemetry,resource=service.name=undertone-triton",
    ]


def _environment(env_dir: Path, libraries: Sequence[Path]) -> dict[str, str]:
    """The stub embeds Python, which finds its packages through the first `python3` on PATH.

    `libraries`: folders of the wheel's, of Python's, and of NVIDIA's where there are wheels of CUDA.
    """
    return {
        "PATH": os.pathsep.join([str(env_dir / "bin"), os.defpath]),
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        "LC_ALL": "C.UTF-8",
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONNOUSERSITE": "1",
        # The staged backend is thrown away at the next start: compiled files beside it would serve nobody.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
