"""OpenVINO in process, from the plain ONNX graph: it fuses attention itself. The faster of its two hints."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from bench.rivals.runtime import Ids, Logits, Runtime, fastest, path_of

PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
HINTS = ("LATENCY", "THROUGHPUT")


class OpenvinoRuntime(Runtime):
    def __init__(self, graph: Path, settings: Mapping[str, Any]) -> None:
        core = openvino.Core()
        self._model: Any = core.compile_model(core.read_model(graph), "CPU", dict(settings))
        self._queue: Any = openvino.AsyncInferQueue(self._model)

    def run(self, ids: Ids, mask: Ids) -> Logits:
        outputs = self._model({"input_ids": ids, "attention_mask": mask})
        return np.asarray(outputs["logits"], np.float32)

    def run_times(self, ids: Ids, mask: Ids, times: int) -> None:
        # As many at once as OpenVINO asks for: one with LATENCY, several with THROUGHPUT.
        for _ in range(times):
            self._queue.start_async({"input_ids": ids, "attention_mask": mask})
        self._queue.wait_all()


def prepare(order: dict[str, Any]) -> Runtime:
    """With the order's own `settings`, as a server has them, or with the faster of both hints."""
    graph, threads = Path(order["graph"]), {"INFERENCE_NUM_THREADS": order["threads"]}
    if "settings" in order:
        candidates = [(str(order["settings"]), partial(OpenvinoRuntime, graph, threads | order["settings"]))]
    else:
        precision = threads | {"INFERENCE_PRECISION_HINT": PRECISIONS[order["precision"]]}
        candidates = [
            (f"hint {hint}", partial(OpenvinoRuntime, graph, precision | {"PERFORMANCE_HINT": hint})) for hint in HINTS
        ]
    runtime = fastest(candidates)
    runtime.tokenizer = path_of(order, "tokenizer")
    return runtime
