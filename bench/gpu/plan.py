"""What is measured, and for how long."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.gpu.device import CPU, Device
from bench.models import RECIPES, ModelSet, Recipe, model_set, starter_for_gpu

LENGTHS, ROWS = (16, 32, 64, 128), (1, 8, 64, 256, 1024)
CELLS = tuple((length, rows) for length in LENGTHS for rows in ROWS)
# The other models at the shapes of a backlog.
FEW_CELLS = ((32, 256), (128, 256), (128, 1024))
# torch compiles each shape for itself, half a minute long.
COMPILED_CELLS = ((32, 1), (32, 256), (128, 256), (128, 1024))
QUICK_CELLS = ((16, 1), (32, 8))
# Shares of the rate that callers get when each waits for its answer.
LOADS = (0.1, 0.25, 0.5, 0.75, 0.9)
QUICK_LOADS = (0.5,)


@dataclass(frozen=True)
class Plan:
    """`seconds` of each measurement of each alternative, `rounds` of them; `clients`: processes that call Triton."""

    device: Device
    quick: bool
    rounds: int
    seconds: float
    clients: int
    texts: Sequence[str]

    @property
    def size(self) -> str:
        """The models whose speed is measured."""
        return "tiny" if self.device is CPU else "gpu"

    def models(self) -> ModelSet:
        return model_set(self.size, _say)

    def starter(self) -> ModelSet:
        """The models whose answers mean something, with their checkpoints."""
        return starter_for_gpu(_say)

    def recipe(self, name: str) -> Recipe:
        return RECIPES[self.size][name]

    def cells(self, name: str) -> Sequence[tuple[int, int]]:
        """(length, rows) for the model of that name."""
        if self.quick:
            return QUICK_CELLS
        return CELLS if name == "sentiment" else FEW_CELLS

    def compiled(self, cell: tuple[int, int]) -> bool:
        """Whether torch's compiled model takes part. Not on a processor: there it would only cost minutes."""
        return self.device is not CPU and not self.quick and cell in COMPILED_CELLS

    @property
    def loads(self) -> Sequence[float]:
        return QUICK_LOADS if self.quick else LOADS

    def graph(self, models: ModelSet, name: str) -> Path:
        """The file that Triton serves."""
        file = {"fp16": "model.fp16.onnx", "fp32": "model.onnx"}[self.device.precision]
        return models.repository / name / "1" / file


def default_clients() -> int:
    """Half of the cores: the other half is the server's and the measurement's."""
    return max(1, min(8, (os.cpu_count() or 2) // 2))


def _say(text: str) -> None:
    print(text, flush=True)
