"""OpenVINO in process, from the plain ONNX graph: it fuses attention itself. The faster of its two hints."""

import sys
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from bench.rivals.runtime import Ids, Logits, Runtime, fastest, path_of

PRECISIONS = {"fp32": "f32", "bf16": "bf16"}
HINTS = ("LATENCY", "THROUGHPUT")
BACKEND = Path(__file__).parents[2] / "services" / "triton" / "backends" / "onnxruntime"


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


class BackendRuntime(Runtime):
    """What Triton's backend computes with, weights rounded as it rounds them: its own class, called in process."""

    def __init__(self, graph: Path, arithmetic: str, threads: int) -> None:
        if str(BACKEND) not in sys.path:
            # As Triton's stub does it; these modules are in no package.
            sys.path.append(str(BACKEND))
        session = import_module("ov_session").OpenVinoSession
        self._session: Any = session(graph, arithmetic, threads, ["logits"], may_quantize=True)

    def run(self, ids: Ids, mask: Ids) -> Logits:
        (logits,) = self._session.run({"input_ids": ids, "attention_mask": mask})
        return np.asarray(logits, np.float32)


def prepare(order: dict[str, Any]) -> Runtime:
    """As Triton's backend has it (`backend` names the arithmetic), or with the faster of both hints."""
    if "backend" in order:
        runtime: Runtime = BackendRuntime(Path(order["graph"]), order["backend"], order["threads"])
        runtime.setting = f"as the backend: {order['backend']}"
        return runtime
    graph, threads = Path(order["graph"]), {"INFERENCE_NUM_THREADS": order["threads"]}
    precision = threads | {"INFERENCE_PRECISION_HINT": PRECISIONS[order["precision"]]}
    candidates = [
        (f"hint {hint}", partial(OpenvinoRuntime, graph, precision | {"PERFORMANCE_HINT": hint})) for hint in HINTS
    ]
    runtime = fastest(candidates)
    runtime.tokenizer = path_of(order, "tokenizer")
    return runtime
