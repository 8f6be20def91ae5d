"""The machine, as far as it explains the figures."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from bench.paths import RIVALS_PYTHON, TRITON_PYTHON
from services.local.cores import physical_cores

# What decides how fast a processor multiplies matrices.
FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8")
OURS = ("asyncpg", "grpcio", "msgspec", "numpy", "redis", "tokenizers", "tritonclient", "uvloop", "websockets")
RIVALS = ("torch", "transformers", "onnxruntime", "openvino", "tokenizers", "numpy")
TRITONS = ("nvidia-pytriton", "onnxruntime", "openvino", "numpy")
_ASK = (
    "import sys, importlib.metadata as m\n"
    "for name in sys.argv[1:]:\n"
    "    try: print(name, m.version(name))\n"
    "    except m.PackageNotFoundError: pass"
)


def describe() -> dict[str, Any]:
    """Processor, memory, kernel, versions, and how busy the machine was before anything was measured."""
    return {
        "cpu": cpu_model(Path("/proc/cpuinfo").read_text()),
        "cores": physical_cores(),
        "flags": cpu_flags(Path("/proc/cpuinfo").read_text()),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "load_at_start": _load(),
        "versions": {"services": _own(), "rivals": _of(RIVALS_PYTHON, RIVALS), "triton": _of(TRITON_PYTHON, TRITONS)},
    }


class Disturbance:
    """What the machine's neighbours took meanwhile: from when this is made until it is read."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def read(self) -> dict[str, float]:
        """Stolen share of the processors' time, in per cent, and the load at the end."""
        after = psutil.cpu_times()
        spent = sum(after) - sum(self._before)
        stolen = getattr(after, "steal", 0.0) - getattr(self._before, "steal", 0.0)
        return {"stolen_percent": round(100 * stolen / spent, 2) if spent else 0.0, "load_at_end": _load()}


def _load() -> float:
    return round(os.getloadavg()[0], 2)


def cpu_model(cpuinfo: str) -> str:
    """`AMD EPYC, family 26 model 2`: cloud machines hide the name, the numbers tell the generation."""
    facts: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            facts.setdefault(name.strip(), value.strip())
    return f"{facts.get('model name', 'unknown')}, family {facts.get('cpu family')} model {facts.get('model')}"


def cpu_flags(cpuinfo: str) -> list[str]:
    present = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "").split()
    return [flag for flag in FLAGS if flag in present]


def sentence(machine: dict[str, Any]) -> str:
    """One line of it for a table's caption."""
    stolen = f", {machine['stolen_percent']} % stolen by its host" if "stolen_percent" in machine else ""
    return (
        f"{machine['cores']} cores of {machine['cpu']} ({', '.join(machine['flags'])}), {machine['memory_gb']} GB, "
        f"Linux {machine['kernel']}, load {machine['load_at_start']} at the start{stolen}"
    )


def _own() -> dict[str, str]:
    found = {}
    for name in OURS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _of(python: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Versions in another environment; none where it is not there."""
    if not python.exists():
        return {}
    answer = subprocess.run([str(python), "-c", _ASK, *names], capture_output=True, text=True, check=False)
    return dict(line.split() for line in answer.stdout.splitlines())
