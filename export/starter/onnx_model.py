"""A checkpoint as ONNX, its weights stored as int8 and computed in floating point.

The large weights are stored as int8 with one fp32 scale a row or column, and `Cast` and `Mul` bring them back. Both
work on constants alone, so every ONNX Runtime folds them into plain fp32 weights while it loads the model, on any
device and without a setting (a DequantizeLinear would be kept for the quantized kernels, and be computed anew for each
request). The file is a quarter of the size; speed and independence of the batch are those of fp32.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from optimum.exporters.onnx import main_export

# Triton 24.10's native backend (ONNX Runtime 1.19) refuses what is newer.
MAX_IR_VERSION = 10
OPSET = 18
MIN_WEIGHTS = 4_096


def export_checkpoint(checkpoint: Path, out: Path) -> None:
    """Writes `out`: inputs input_ids and attention_mask `[batch, sequence]` int64, output logits `[batch, labels]`."""
    with tempfile.TemporaryDirectory() as folder:
        main_export(str(checkpoint), folder, task="text-classification", opset=OPSET, do_validation=False)
        model = onnx.load(Path(folder) / "model.onnx")
    model.ir_version = min(model.ir_version, MAX_IR_VERSION)
    store_weights_as_int8(model.graph)
    onnx.checker.check_model(model, full_check=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, out)


def store_weights_as_int8(graph: Any) -> None:
    """Replaces large fp32 matrices by int8 ones and the nodes that bring them back; symmetric, one scale a channel."""
    initializers, nodes = [], []
    for tensor in graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.dtype != np.float32 or weights.ndim != 2 or weights.size < MIN_WEIGHTS:
            initializers.append(tensor)
            continue
        axis = channel_axis(graph, tensor.name)
        scale = np.maximum(np.abs(weights).max(axis=1 - axis, keepdims=True), 1e-8) / 127
        quantized = np.clip(np.rint(weights / scale), -127, 127).astype(np.int8)
        stored, scales, widened = (f"{tensor.name}.{part}" for part in ("int8", "scale", "fp32"))
        initializers += [
            numpy_helper.from_array(quantized, stored),
            numpy_helper.from_array(scale.astype(np.float32), scales),
        ]
        nodes += [
            helper.make_node("Cast", [stored], [widened], name=f"{tensor.name}.cast", to=onnx.TensorProto.FLOAT),
            helper.make_node("Mul", [widened, scales], [tensor.name], name=f"{tensor.name}.scale_up"),
        ]
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(initializers)
    graph.node.extend(nodes)


def channel_axis(graph: Any, weight: str) -> int:
    """The axis of the output channels: rows of an embedding or of a transposed Gemm, else columns."""
    for node in graph.node:
        if weight in node.input:
            transposed = node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute)
            return 0 if node.op_type == "Gather" or transposed else 1
    return 1
