"""Triton's own environment: `python -m services.local.triton_env` makes it, once; with `--gpu`, the one for a GPU.

The server, its Python backend, ONNX Runtime, OpenVINO and numpy 1 come from wheels (requirements/triton.txt; for a GPU
triton-gpu.txt). They stay out of the services' environment because the backend's stub needs numpy 1, hence Python 3.11
or 3.12. Without a network: PIP_NO_INDEX=1 PIP_FIND_LINKS=<folder with the wheels>.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from services.common.errors import ConfigurationError
from services.local.model_folders import on_gpu

PYTHONS = ("3.12", "3.11")
MIN_GLIBC = (2, 35)
DEFAULT_DIR, GPU_DIR = Path(".local/triton/env"), Path(".local/triton/env-gpu")
LOCK, GPU_LOCK = (Path(__file__).parents[2] / "requirements" / name for name in ("triton.txt", "triton-gpu.txt"))
DOWNLOADS = {LOCK: " (a download of 160 MB)", GPU_LOCK: " with CUDA (a download of 1.5 GB)"}
STAMP = "undertone-stamp"
# Of OpenVINO only the CPU plugin and the reader of ONNX files are used.
UNUSED_OPENVINO = (
    *("libopenvino_intel_gpu_plugin.so", "libopenvino_intel_npu_*.so", "cache.json"),
    *(f"libopenvino_{name}_frontend.so*" for name in ("gguf", "jax", "paddle", "pytorch", "tensorflow*")),
)
OWN_SERVER = "set TRITON_URL to a Triton server of your own"

Report = Callable[[str], None]


def check_platform(system: str, machine: str, libc: tuple[str, str]) -> None:
    """ConfigurationError where the wheels cannot run; arguments as `platform` gives them."""
    name, version = libc
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if (system, machine, name) == ("Linux", "x86_64", "glibc") and numbers >= MIN_GLIBC:
        return
    found = " ".join(part for part in (system, machine, name, version) if part)
    needed = "Linux on x86_64 with glibc " + ".".join(map(str, MIN_GLIBC)) + " or newer"
    raise ConfigurationError(f"unsupported platform for the embedded Triton: {found} (it needs {needed}): {OWN_SERVER}")


def python_version(command: str) -> str | None:
    """`3.11`, say; None when the command does not start (a version manager's shim) or has no venv."""
    code = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run([command, "-c", code], check=False, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def choose_python(running: str, running_version: str, found: Iterable[str]) -> tuple[str, str]:
    """(command, version) to build on: the running interpreter if it fits, else the first found that works."""
    if running_version in PYTHONS:
        return running, running_version
    for command in found:
        version = python_version(command)
        if version in PYTHONS:
            return command, version
    raise ConfigurationError(
        f"Triton's environment needs Python {' or '.join(PYTHONS)} (this is {running_version} and none is on PATH): "
        f"install one, for example `apt-get install python3.11 python3.11-venv libpython3.11`, or {OWN_SERVER}"
    )


def pythons_on_path() -> list[str]:
    """Every python3.12 and python3.11 on PATH, newest version first; some may be shims that do not start."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    candidates = [Path(folder) / f"python{version}" for version in PYTHONS for folder in folders if folder]
    return [str(path) for path in candidates if os.access(path, os.X_OK) and path.is_file()]


def stamp_of(lock: Path, version: str) -> str:
    """What the environment was made from: it is made anew when this changes."""
    return f"{version} {hashlib.sha256(lock.read_bytes()).hexdigest()}"


def is_complete(env_dir: Path, lock: Path = LOCK) -> bool:
    """Whether the environment was finished from this very lock and its Python is still there."""
    stamp = env_dir / STAMP
    made_from = stamp.read_text() if stamp.is_file() and (env_dir / "bin" / "python").exists() else ""
    return made_from in {stamp_of(lock, version) for version in PYTHONS}


def ensure_env(
    env_dir: Path = DEFAULT_DIR, *, lock: Path = LOCK, cuda: Path | None = None, report: Report = print
) -> Path:
    """The environment's folder, made if missing, half-made or of another lock. Takes a minute and 380 MB of disk, for
    a GPU (`GPU_LOCK`) some minutes and 2.3 GB.

    `cuda`: the folder `nvidia` of another environment with the libraries of CUDA, which are then not installed.
    """
    check_platform(platform.system(), platform.machine(), platform.libc_ver())
    if is_complete(env_dir, lock):
        return env_dir
    running = "{}.{}".format(*sys.version_info)
    command, version = choose_python(sys.executable, running, pythons_on_path())
    if env_dir.exists():
        report(f"removing the unfinished or outdated {env_dir}")
        shutil.rmtree(env_dir)
    report(f"installing Triton{DOWNLOADS.get(lock, '')} into {env_dir} with Python {version} …")
    env_dir.parent.mkdir(parents=True, exist_ok=True)
    _run([command, "-m", "venv", "--without-pip", str(env_dir)], "create the environment")
    wanted = ["--requirement", str(lock)] if cuda is None else without_cuda(lock.read_text())
    _run([*_pip(env_dir), "install", "--no-deps", "--no-compile", *wanted], "install Triton")
    if cuda is not None:
        (env_dir / "lib" / f"python{version}" / "site-packages" / "nvidia").symlink_to(cuda.resolve(strict=True))
    _drop_unused(env_dir, version)
    (env_dir / STAMP).write_text(stamp_of(lock, version))
    report("Triton is installed")
    return env_dir


def without_cuda(lock: str) -> list[str]:
    """The requirements of a lock file that are no libraries of CUDA."""
    lines = [line.strip() for line in lock.splitlines() if line.strip() and not line.startswith("#")]
    return [line for line in lines if not line.startswith("nvidia-") or line.startswith("nvidia-pytriton")]


def env_for(config_name: str, triton_dir: Path) -> tuple[Path, Path]:
    """(folder, lock) of the environment that serves this configuration, among those in `triton_dir`."""
    env_dir, lock = (GPU_DIR, GPU_LOCK) if on_gpu(config_name) else (DEFAULT_DIR, LOCK)
    return triton_dir / env_dir.name, lock


def _pip(env_dir: Path) -> list[str]:
    """This interpreter's pip, working on that environment: it needs no pip of its own (24 MB)."""
    quiet = ["--disable-pip-version-check", "--no-input", "--quiet"]
    return [sys.executable, "-m", "pip", *quiet, "--python", str(env_dir / "bin" / "python")]


def _run(command: list[str], purpose: str) -> None:
    result = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if result.returncode:
        reason = "\n".join(f"  {line}" for line in result.stderr.strip().splitlines()[-8:])
        raise ConfigurationError(f"could not {purpose} ({' '.join(command[:3])} … failed):\n{reason}")


def _drop_unused(env_dir: Path, version: str) -> None:
    """Stubs for other Pythons, pytriton's own Python code, and OpenVINO's parts for other devices and file formats."""
    for package in env_dir.glob("lib/python*/site-packages/pytriton"):
        for stub in (package / "tritonserver" / "python_backend_stubs").iterdir():
            if stub.name != version:
                shutil.rmtree(stub)
        for path in package.iterdir():
            if path.name != "tritonserver":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for package in env_dir.glob("lib/python*/site-packages/openvino"):
        shutil.rmtree(package / "include", ignore_errors=True)
        for pattern in UNUSED_OPENVINO:
            for library in (package / "libs").glob(pattern):
                library.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the environment that the embedded Triton server runs in.")
    parser.add_argument("--gpu", action="store_true", help="the one for NVIDIA GPUs: ONNX Runtime with CUDA")
    parser.add_argument("--dir", type=Path, help=f"default: {DEFAULT_DIR}, for a GPU {GPU_DIR}")
    parser.add_argument(
        "--cuda",
        type=Path,
        metavar="FOLDER",
        help="site-packages/nvidia of an environment that has CUDA's libraries already, as torch's: saves 1.2 GB",
    )
    arguments = parser.parse_args()
    if arguments.cuda and not arguments.cuda.is_dir():
        parser.error(f"there is no folder {arguments.cuda}")
    env_dir, lock = (GPU_DIR, GPU_LOCK) if arguments.gpu else (DEFAULT_DIR, LOCK)
    try:
        ensure_env(arguments.dir or env_dir, lock=lock, cuda=arguments.cuda)
    except ConfigurationError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
