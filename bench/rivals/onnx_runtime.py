"""ONNX Runtime in process: a file as it is, or after the usual dynamic quantization to int8."""

import os

# Before ONNX Runtime is loaded: it would report its start.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from bench.rivals.runtime import Ids, Logits, Runtime, path_of


class OnnxRuntime(Runtime):
    def __init__(self, graph: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A pool that spins between the runs would take the cores of whoever is measured next.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session: Any = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def run(self, ids: Ids, mask: Ids) -> Logits:
        (logits,) = self._session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
        return np.asarray(logits, np.float32)


def prepare(order: dict[str, Any]) -> Runtime:
    graph = Path(order["graph"])
    if order["precision"] == "dynamic int8":
        graph = quantized(graph, Path(order["work"]))
    runtime = OnnxRuntime(graph, order["threads"])
    runtime.setting = f"{order['precision']}, {onnxruntime.__version__}"
    runtime.tokenizer = path_of(order, "tokenizer")
    return runtime


def quantized(graph: Path, work: Path) -> Path:
    """The usual kind: one scale for the whole batch, which is why an answer depends on its neighbours."""
    target = work / "model.dynamic-int8.onnx"
    if not target.exists():
        from onnx import TensorProto
        from onnxruntime.quantization import QuantType, quantize_dynamic

        # Weights that are stored in int8 to save room are float once constants are folded.
        folded = target.with_suffix(".folded")
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(folded)
        onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        # Not a whole model before the last byte is written, so under another name until then.
        unfinished = target.with_suffix(".unfinished")
        quantize_dynamic(
            folded,
            unfinished,
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": TensorProto.FLOAT, "MatMulConstBOnly": True},
        )
        folded.unlink()
        unfinished.rename(target)
    return target
