"""The device that is measured: a GPU, or the processor, on which the same code is tried out where there is no GPU."""

import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.paths import TRITON_ENV, TRITON_GPU_ENV

# What nvidia-smi is asked for, and what that is called here.
FACTS = {
    "name": "name",
    "driver_version": "driver",
    "memory.total": "memory_mib",
    "clocks.max.sm": "max_clock_mhz",
    "power.limit": "power_limit_w",
}
SAMPLES = {"utilization.gpu": "gpu_percent", "power.draw": "power_w", "clocks.sm": "clock_mhz"}
SAMPLE_INTERVAL_S = 0.2
SMI_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Device:
    """`config`: the configuration of the models that Triton serves; `precision`: that of their products."""

    name: Literal["cuda", "cpu"]
    config: str
    precision: str
    triton_env: Path

    @property
    def triton_python(self) -> Path:
        return self.triton_env / "bin" / "python"


GPU = Device("cuda", "gpu-ort", "fp16", TRITON_GPU_ENV)
CPU = Device("cpu", "cpu", "fp32", TRITON_ENV)
DEVICES = {device.name: device for device in (GPU, CPU)}


class NoGpu(Exception):
    """There is no GPU here, or its driver does not answer; the message says what to do."""


def gpu_facts() -> dict[str, Any]:
    """Name, driver, memory, clock and power limit of the first GPU; NoGpu where there is none."""
    if shutil.which("nvidia-smi") is None:
        raise NoGpu("no NVIDIA GPU is to be had here (there is no nvidia-smi): measure on a machine that has one")
    return dict(zip(FACTS.values(), _ask(list(FACTS)), strict=True))


def _ask(fields: Sequence[str]) -> list[str | float]:
    command = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits", "--id=0"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SMI_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoGpu(f"nvidia-smi does not answer: {error}") from None
    if answer.returncode:
        raise NoGpu(f"nvidia-smi: {(answer.stdout + answer.stderr).strip()}")
    return parse_row(answer.stdout)


def parse_row(text: str) -> list[str | float]:
    """The values of the first line of its answer; numbers as numbers."""
    return [_number(cell.strip()) for cell in text.strip().splitlines()[0].split(",")]


def _number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


@dataclass
class Sampler:
    """Asks the GPU what it does, over and over, while the block runs. On a machine without one it has nothing to say.

    nvidia-smi's utilization is the share of time in which any kernel ran: 100 % says nothing of how well it ran.
    """

    device: Device
    samples: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in SAMPLES.values()})

    def __enter__(self) -> "Sampler":
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        if self.device is GPU:
            self._thread.start()
        return self

    def _run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                row = _ask(list(SAMPLES))
            except NoGpu:
                return
            for name, value in zip(SAMPLES.values(), row, strict=True):
                if isinstance(value, float):
                    self.samples[name].append(value)
            self._ended.wait(max(0.0, SAMPLE_INTERVAL_S - (time.monotonic() - began)))

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(SMI_TIMEOUT_S)

    def medians(self) -> dict[str, float | None]:
        return {name: statistics.median(values) if values else None for name, values in self.samples.items()}
