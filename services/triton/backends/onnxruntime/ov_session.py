"""OpenVINO in place of ONNX Runtime on the CPU: the same file, other arithmetic."""

# The Python backend puts this folder on the module path; a type checker may not know it.
# mypy: disable-error-code="import-not-found,import-untyped"

import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from ort_batches import Array, Arrays

BF16, INT8 = "openvino-bf16", "openvino-int8"
# Activations of a token are quantized in groups of so many, each with a scale of its own: never across texts. Larger
# groups were not faster and rounded more.
QUANTIZATION_GROUP = 128
# Smaller constants are no weights of a matrix product worth quantizing for.
MIN_WEIGHTS = 4_096


class UnsuitableError(Exception):
    """OpenVINO cannot compute this file in that arithmetic."""


def version() -> str:
    """Empty where OpenVINO is not installed."""
    if find_spec("openvino") is None:
        return ""
    return str(import_module("openvino").__version__)


class OpenVinoSession:
    """A model compiled for the CPU, for `at_once` runs at the same time, each with `threads` threads."""

    def __init__(
        self,
        path: Path,
        arithmetic: str,
        threads: int,
        outputs: Sequence[str],
        *,
        may_quantize: bool = False,
        at_once: int = 1,
    ) -> None:
        """`arithmetic`: `BF16` or `INT8`. `may_quantize`: whether weights that are stored in floating point may be
        rounded to int8 for it. UnsuitableError if the file cannot be computed in that arithmetic."""
        # Loaded where it is used: most machines of a fleet may never need it.
        core: Any = import_module("openvino").Core()
        try:
            model = core.read_model(path)
            stored = arithmetic != INT8 or _has_int8_weights(model)
            if not stored and not (may_quantize and _quantize_weights(model)):
                raise UnsuitableError("its weights are not int8, and the version has no int8 file")
            self._compiled = core.compile_model(model, "CPU", options(arithmetic, threads, at_once))
            self._requests: SimpleQueue[Any] = SimpleQueue()
            for _ in range(at_once):
                self._requests.put(self._compiled.create_infer_request())
            self._outputs = [self._compiled.output(name) for name in outputs]
        except RuntimeError as error:  # OpenVINO has no narrower one
            raise UnsuitableError(str(error).strip().splitlines()[-1]) from None

    def run(self, feeds: Arrays) -> Sequence[Array]:
        """All outputs, in the order they were asked for, as arrays of their own."""
        request = self._requests.get()
        try:
            results: Mapping[Any, Array] = request.infer(dict(feeds), share_inputs=True)
            return [results[output] for output in self._outputs]
        finally:
            self._requests.put(request)


def options(arithmetic: str, threads: int, at_once: int = 1) -> dict[str, Any]:
    """OpenVINO's properties for that arithmetic; `threads` 0: as many as it likes."""
    properties: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",  # one request with all threads, instead of one a thread
        "INFERENCE_PRECISION_HINT": "bf16" if arithmetic == BF16 else "f32",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": QUANTIZATION_GROUP if arithmetic == INT8 else 0,
        # Instances are processes that know nothing of each other: pinned, they would all sit on the first cores.
        "ENABLE_CPU_PINNING": False,
    }
    if threads:
        properties["INFERENCE_NUM_THREADS"] = threads * at_once
    if at_once > 1:
        # Streams share the weights.
        properties["NUM_STREAMS"] = at_once
    return properties


def _has_int8_weights(model: Any) -> bool:
    return any(
        node.get_type_name() == "Constant"
        and node.get_element_type().get_type_name() == "i8"
        and math.prod(node.get_output_shape(0)) >= MIN_WEIGHTS
        for node in model.get_ordered_ops()
    )


def _quantize_weights(model: Any) -> int:
    """Weights of matrix products as int8, a scale for each output channel; how many there were. Changes `model`.

    OpenVINO quantizes activations only where the weights are kept as int8: it takes both scales into the product.
    """
    opset = import_module("openvino.opset13")
    found = 0
    for node in model.get_ordered_ops():
        if node.get_type_name() != "MatMul" or node.input_value(1).get_node().get_type_name() != "Constant":
            continue
        weights = node.input_value(1).get_node().get_data()
        if weights.ndim == 2 and weights.size >= MIN_WEIGHTS:
            channels = 1 if node.get_attributes()["transpose_b"] else 0
            quantized, scale = quantize(weights, axis=channels)
            widened = opset.multiply(opset.convert(opset.constant(quantized), "f32"), opset.constant(scale))
            node.input(1).replace_source_output(widened.output(0))
            found += 1
    return found


def quantize(weights: Array, axis: int) -> tuple[Array, Array]:
    """int8 weights, and the scale of each channel; `axis`: the one that is summed over, which the scales have not."""
    scale = (np.maximum(np.abs(weights).max(axis=axis, keepdims=True), 1e-8) / 127).astype(np.float32)
    return np.rint(weights / scale).astype(np.int8), scale
