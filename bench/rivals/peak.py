"""How many operations a second the machine reaches at what costs nothing but multiplying matrices.

The best of torch, OpenVINO and ONNX Runtime: none of them is the fastest on every processor, and a limit that a runtime
exceeds is none.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnxruntime
import openvino
import torch
from onnx import TensorProto, helper, numpy_helper
from openvino import opset13

# Rows, inner, columns: a square one, and the products of a base encoder over 2,048 tokens.
SHAPES = ((2048, 2048, 2048), (2048, 768, 3072), (2048, 3072, 768), (2048, 768, 2304), (4096, 768, 768))
SECONDS_A_SHAPE = 0.4
Shape = tuple[int, int, int]


def measure(order: dict[str, Any]) -> dict[str, Any]:
    """The best of libraries and shapes, each by the median of its runs; a multiply and an add count as two."""
    torch.set_num_threads(order["threads"])
    best: dict[str, Any] = {"flops": 0.0, "shape": None, "library": None}
    with torch.inference_mode():
        for shape in SHAPES:
            for library, product in _products(order["precision"], shape, order["threads"]):
                rows, inner, columns = shape
                flops = 2 * rows * inner * columns / _median(product)
                if flops > best["flops"]:
                    best = {"flops": flops, "shape": list(shape), "library": library}
    return best


def _products(precision: str, shape: Shape, threads: int) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "torch", _torch(precision, shape)
    yield "OpenVINO", _openvino(precision, shape, threads)
    if precision in ("fp32", "int8"):
        yield "ONNX Runtime", _onnxruntime(precision, shape, threads)


def _torch(precision: str, shape: Shape) -> Callable[[], object]:
    rows, inner, columns = shape
    if precision == "int8":
        a = torch.randint(-127, 127, (rows, inner), dtype=torch.int8)
        # The right side as its library wants it: column by column.
        b = torch.randint(-127, 127, (columns, inner), dtype=torch.int8).t()
        return lambda: torch._int_mm(a, b)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    layer = torch.nn.Linear(inner, columns, bias=False, dtype=dtype)
    x = torch.randn(rows, inner).to(dtype)
    return lambda: layer(x)


def _openvino(precision: str, shape: Shape, threads: int) -> Callable[[], object]:
    rows, inner, columns = shape
    x = opset13.parameter([rows, inner], np.float32)
    weights: Any = opset13.constant(_random(inner, columns))
    if precision == "int8":
        # With its scale beside it, a product is one of integers, and the left side is quantized on the way.
        stored = opset13.convert(opset13.constant(_bytes(inner, columns, np.int8)), "f32")
        weights = opset13.multiply(stored, opset13.constant(np.full((1, columns), 0.01, np.float32)))
    model = openvino.Model([opset13.matmul(x, weights, False, False)], [x])
    settings = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16", "int8": "f32"}[precision],
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 128 if precision == "int8" else 0,
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request: Any = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(openvino.Tensor(_random(rows, inner)))
    infer: Callable[[], object] = request.infer
    return infer


def _onnxruntime(precision: str, shape: Shape, threads: int) -> Callable[[], object]:
    rows, inner, columns = shape
    whole = precision == "int8"
    left = _bytes(rows, inner, np.uint8) if whole else _random(rows, inner)
    right = _bytes(inner, columns, np.int8) if whole else _random(inner, columns)
    kinds = (TensorProto.UINT8, TensorProto.INT32) if whole else (TensorProto.FLOAT, TensorProto.FLOAT)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger" if whole else "MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", kinds[0], [rows, inner])],
        [helper.make_tensor_value_info("y", kinds[1], [rows, columns])],
        [numpy_helper.from_array(right, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(["y"], {"x": left})


def _bytes(rows: int, columns: int, kind: Any) -> Any:
    return np.random.default_rng(rows + columns).integers(0, 127, (rows, columns)).astype(kind)


def _random(rows: int, columns: int) -> Any:
    return np.random.default_rng(rows + columns).standard_normal((rows, columns), np.float32)


def _median(run: Callable[[], object]) -> float:
    run()
    durations: list[float] = []
    until = time.perf_counter() + SECONDS_A_SHAPE
    while time.perf_counter() < until or len(durations) < 3:
        began = time.perf_counter()
        run()
        durations.append(time.perf_counter() - began)
    return statistics.median(durations)
