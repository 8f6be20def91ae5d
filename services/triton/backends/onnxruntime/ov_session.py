"""OpenVINO in place of ONNX Runtime on the CPU: the same file, other arithmetic."""

# The Python backend puts this folder on the module path; a type checker may not know it.
# mypy: disable-error-code="import-not-found,import-untyped"

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

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
    """A model compiled for the CPU; one request at a time, as an instance has them."""

    def __init__(self, path: Path, arithmetic: str, threads: int, outputs: Sequence[str]) -> None:
        """`arithmetic`: `BF16`, or `INT8` for a file whose weights are stored as int8. UnsuitableError if it fails."""
        # Loaded where it is used: most machines of a fleet may never need it.
        core: Any = import_module("openvino").Core()
        try:
            model = core.read_model(path)
            if arithmetic == INT8 and not _has_int8_weights(model):
                raise UnsuitableError("its weights are not stored as int8")
            self._compiled = core.compile_model(model, "CPU", options(arithmetic, threads))
            self._request = self._compiled.create_infer_request()
            self._outputs = [self._compiled.output(name) for name in outputs]
        except RuntimeError as error:  # OpenVINO has no narrower one
            raise UnsuitableError(str(error).strip().splitlines()[-1]) from None

    def run(self, feeds: Arrays) -> Sequence[Array]:
        """All outputs, in the order they were asked for, as arrays of their own."""
        results: Mapping[Any, Array] = self._request.infer(dict(feeds), share_inputs=True)
        return [results[output] for output in self._outputs]


def options(arithmetic: str, threads: int) -> dict[str, Any]:
    """OpenVINO's properties for that arithmetic; `threads` 0: as many as it likes."""
    properties: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",  # one request with all threads, instead of one a thread
        "INFERENCE_PRECISION_HINT": "bf16" if arithmetic == BF16 else "f32",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": QUANTIZATION_GROUP if arithmetic == INT8 else 0,
        # Instances are processes that know nothing of each other: pinned, they would all sit on the first cores.
        "ENABLE_CPU_PINNING": False,
    }
    if threads:
        properties["INFERENCE_NUM_THREADS"] = threads
    return properties


def _has_int8_weights(model: Any) -> bool:
    return any(
        node.get_type_name() == "Constant"
        and node.get_element_type().get_type_name() == "i8"
        and node.get_output_size() == 1
        and _size(node) >= MIN_WEIGHTS
        for node in model.get_ordered_ops()
    )


def _size(node: Any) -> int:
    size = 1
    for dimension in node.get_output_shape(0):
        size *= int(dimension)
    return size
