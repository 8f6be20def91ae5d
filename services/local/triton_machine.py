"""What the machine must offer before the server starts; each lack is one sentence that says what to do."""

import contextlib
import ctypes
import hashlib
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.common.errors import ConfigurationError

SHARED_MEMORY = Path("/dev/shm")  # nosec B108 # no folder for temporary files
# Requests travel between the server and each model's process in shared memory.
MIN_SHARED_MEMORY_MB = 256
# CUDA's version as the driver counts: what the wheels of requirements/triton-gpu.txt are made for.
MIN_CUDA = 13_000
DRIVER_LIBRARY = "libcuda.so.1"
_ASK_PYTHON = (
    "import sys, sysconfig;"
    "print('%d.%d' % sys.version_info[:2], sysconfig.get_config_var('LIBDIR') or '', sys.base_prefix, sep='\\n')"
)


def check_port_free(port: int, setting: str) -> None:
    """ConfigurationError when something listens on that loopback port; `setting` names the variable that moves it."""
    with socket.socket() as probe:
        # Only listeners count, not connections of a former server that the kernel still remembers.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ConfigurationError(
                f"Triton's port {port} cannot be used ({error.strerror}): stop what listens there, a former run "
                f"perhaps, or set {setting} to a free port"
            ) from None


def check_shared_memory(folder: Path = SHARED_MEMORY) -> None:
    """ConfigurationError when /dev/shm is missing or too small."""
    free_mb = shutil.disk_usage(folder).free // 2**20 if folder.is_dir() else 0
    if free_mb < MIN_SHARED_MEMORY_MB:
        raise ConfigurationError(
            f"{folder} has {free_mb} MB free, Triton needs {MIN_SHARED_MEMORY_MB}: enlarge it (Docker: --shm-size=1g, "
            f"elsewhere: mount -o remount,size=1G {folder})"
        )


def check_gpu(load: Callable[[str], Any] = ctypes.CDLL) -> None:
    """ConfigurationError without an NVIDIA GPU or with a driver that is too old for the wheels. `load`: a library."""
    otherwise = "or set LOCAL_TRITON_CONFIG=cpu"
    try:
        driver = load(DRIVER_LIBRARY)
    except OSError:
        raise ConfigurationError(
            f"there is no NVIDIA driver here ({DRIVER_LIBRARY} is missing): install it (in a container: start that "
            f"with its GPUs), {otherwise}"
        ) from None
    version, count = ctypes.c_int(0), ctypes.c_int(0)
    driver.cuDriverGetVersion(ctypes.byref(version))
    if version.value < MIN_CUDA:
        raise ConfigurationError(
            f"the NVIDIA driver is too old: it is made for CUDA {_cuda_version(version.value)}, Triton's environment "
            f"needs {_cuda_version(MIN_CUDA)}: install driver 580 or newer, {otherwise}"
        )
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        raise ConfigurationError(
            f"the NVIDIA driver finds no GPU: look at `nvidia-smi` and at CUDA_VISIBLE_DEVICES, {otherwise}"
        )


def driver_folders() -> list[Path]:
    """Where the driver's library may lie if the system does not know it: some containers say so in LD_LIBRARY_PATH."""
    folders = map(Path, filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)))
    return [folder for folder in folders if (folder / DRIVER_LIBRARY).exists()]


def _cuda_version(number: int) -> str:
    return f"{number // 1_000}.{number % 1_000 // 10}"


def region_prefix(work_dir: Path) -> str:
    """What the names of a server's shared memory begin with: they tell its supervisor and its work folder."""
    return f"undertone_{os.getpid()}_{hashlib.sha256(bytes(work_dir)).hexdigest()[:12]}_"


def remove_stale_regions(work_dir: Path, folder: Path = SHARED_MEMORY) -> None:
    """Removes the shared memory of a former server in `work_dir` and of all whose supervisor is gone.

    A server that ends by itself tidies up; when it is killed with its processes, 1 MB or more a model stays behind.
    """
    ours = region_prefix(work_dir).split("_")[2]
    for region in folder.glob("undertone_*_*_*"):
        _, supervisor, work, *_ = region.name.split("_")
        if work == ours or (supervisor.isdecimal() and not Path("/proc", supervisor).exists()):
            # A region of another user stays; the server takes new names anyway.
            with contextlib.suppress(OSError):
                region.unlink()


def python_library(python: Path) -> tuple[str, Path]:
    """(`3.11`, the folder of its libpython3.11.so.1.0); ConfigurationError where that library is not installed."""
    answer = subprocess.run([python, "-c", _ASK_PYTHON], capture_output=True, text=True, check=False)
    if answer.returncode:
        raise ConfigurationError(f"{python} does not start: remove its environment, `make` installs it anew")
    version, libdir, prefix = answer.stdout.splitlines()
    library = f"libpython{version}.so.1.0"
    # LIBDIR may be the path of the machine that built this Python.
    folders = [Path(libdir), Path(prefix, "lib"), Path("/usr/lib/x86_64-linux-gnu"), Path("/usr/lib64")]
    folder = next((folder for folder in folders if (folder / library).exists()), None)
    if folder is None:
        raise ConfigurationError(
            f"Triton's Python backend needs {library}, which the Python in {prefix} lacks: install it (Debian, Ubuntu: "
            f"apt-get install libpython{version}; a Python built from source: with --enable-shared)"
        )
    return version, folder
