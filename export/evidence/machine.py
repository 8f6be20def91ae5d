"""The machine that measures: what its figures depend on, and nothing that says whose it is."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from export.cores import physical_cores

CPU_INFO = Path("/proc/cpuinfo")
GPU_DEVICE = Path("/dev/nvidiactl")
_PACKAGES = ("onnxruntime", "torch", "transformers", "tokenizers", "numpy")


def cpu_name(path: Path = CPU_INFO) -> str:
    """The processor as it names itself."""
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def has_gpu(device: Path = GPU_DEVICE) -> bool:
    """Whether NVIDIA's driver is here."""
    return device.exists()


def environment() -> dict[str, str]:
    """What stands below a measurement: processor, cores, versions."""
    found = {name: number for name in _PACKAGES if (number := _installed(name))}
    return {"CPU": cpu_name(), "physical cores": str(physical_cores()), "Python": platform.python_version()} | found


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
