"""What DistilBERT and RoBERTa are run with elsewhere, each at its best setting on the same cores."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.models import ModelSet
from bench.paths import RIVALS_PYTHON, WORK
from bench.rival import Rival, started

LOG = WORK / "rivals.log"


@dataclass(frozen=True)
class Alternative:
    """`precision` is that of its matrix products."""

    title: str
    runtime: str
    precision: str
    python: Path = RIVALS_PYTHON
    order: Mapping[str, Any] = field(default_factory=dict)

    def prepare(self, rival: Rival, models: ModelSet, name: str, threads: int) -> str:
        """Loads the model called `name`; how it was set up, in words."""
        where: dict[str, Any] = dict(self.order)
        if not where and self.runtime == "torch":
            where = {"checkpoint": str(models.checkpoint(name))}
        elif not where:
            version = models.repository / name / "1"
            graph = models.plain_graph(name) if self.runtime == "openvino" else version / "model.onnx"
            work = WORK / f"models-{models.size}" / name
            work.mkdir(parents=True, exist_ok=True)
            where = {"graph": str(graph), "tokenizer": str(version / "tokenizer.json"), "work": str(work)}
        order = {"runtime": self.runtime, "precision": self.precision, "threads": threads, **where}
        setting: str = rival.ask(do="prepare", name=name, **order)["setting"]
        return setting


TORCH_BF16 = Alternative("torch bf16", "torch", "bf16")
OPENVINO_BF16 = Alternative("OpenVINO bf16", "openvino", "bf16")
DYNAMIC_INT8 = Alternative("ONNX Runtime dynamic int8", "onnxruntime", "dynamic int8")
ALL = (
    Alternative("torch fp32", "torch", "fp32"),
    TORCH_BF16,
    Alternative("OpenVINO fp32", "openvino", "fp32"),
    OPENVINO_BF16,
    Alternative("ONNX Runtime fp32", "onnxruntime", "fp32"),
    DYNAMIC_INT8,
)
# The bar: whatever of these is fastest in process.
BEST_OF = tuple(alternative.title for alternative in (TORCH_BF16, OPENVINO_BF16, DYNAMIC_INT8))


@contextmanager
def all_started(alternatives: Mapping[str, Alternative]) -> Iterator[dict[str, Rival]]:
    """A process for each; nothing is loaded yet."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(started(alternative.python, "bench.rivals", log=LOG))
            for name, alternative in alternatives.items()
        }
