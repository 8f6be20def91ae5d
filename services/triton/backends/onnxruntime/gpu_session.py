"""ONNX Runtime on a GPU: tensors bound on the device, and proof that its fused attention computes."""

# The Python backend puts this folder on the module path; a type checker may not know it.
# mypy: disable-error-code="import-not-found,import-untyped"

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from cpu_runtimes import Session
from gpu_memory import Allocate, Buffer, Device, ordinary
from length_groups import padded_rows
from ort_batches import Array, Arrays
from ort_options import OptionError

# ONNX Runtime's operators that compute a layer's attention in one piece.
FUSED_ATTENTION = ("Attention", "MultiHeadAttention", "PackedAttention", "PackedMultiHeadAttention")
# The heads of our models end in logits, so a softmax can only be the middle of an attention in pieces.
IN_PIECES = "Softmax"
SAMPLE_SHAPE = (2, 16)
# Ids of the longest run of our models have 1 MB. What is larger is copied to new memory each time.
MIN_BUFFER_NUMBERS, MAX_BUFFER_BYTES = 1_024, 16 * 2**20


class BoundSession:
    """Inputs are copied to the device once and outputs back once; nothing in between leaves it.

    For one thread: the memory of the inputs is kept and filled anew by each run, which ends when the device has.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        outputs: Sequence[str],
        options: ort.RunOptions,
        device: Device,
        allocate: Allocate = ordinary,
    ) -> None:
        """`allocate`: the processor's memory that the device is filled from."""
        self._session = session
        self._outputs = list(outputs)
        self._options = options
        self._device = device
        self._allocate = allocate
        self._buffers: dict[tuple[str, np.dtype[Any], int], Buffer] = {}

    def run(self, feeds: Arrays) -> Sequence[Array]:
        """All outputs, in the order they were asked for."""
        if any(array.dtype == np.object_ for array in feeds.values()):
            # ONNX Runtime binds no text.
            unbound: Sequence[Array] = self._session.run(self._outputs, dict(feeds), self._options)
            return unbound
        binding = self._session.io_binding()
        for name, array in feeds.items():
            self._bind(binding, name, array)
        for name in self._outputs:
            binding.bind_output(name, *self._device)
        self._session.run_with_iobinding(binding, self._options)
        arrays: Sequence[Array] = binding.copy_outputs_to_cpu()
        return arrays

    def _bind(self, binding: ort.IOBinding, name: str, array: Array) -> None:
        if array.size and array.nbytes <= MAX_BUFFER_BYTES:
            # In powers of two, so that a few buffers are enough for every shape.
            capacity = max(MIN_BUFFER_NUMBERS, 1 << (array.size - 1).bit_length())
            key = name, array.dtype, capacity
            if key not in self._buffers:
                self._buffers[key] = Buffer([capacity], array.dtype, self._device, self._allocate)
            buffer = self._buffers[key]
            buffer.fill(array)
            binding.bind_input(name, *self._device, array.dtype, array.shape, buffer.value.data_ptr())
        else:
            value = ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), *self._device)
            binding.bind_ortvalue_input(name, value)


class PaddedRows:
    """Runs with few different numbers of rows: the last one is computed several times (length_groups.padded_rows)."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def run(self, feeds: Arrays) -> Sequence[Array]:
        """All outputs, each with as many rows as came in."""
        rows = len(next(iter(feeds.values())))
        if not rows or padded_rows(rows) == rows:
            return self._session.run(feeds)
        index = np.minimum(np.arange(padded_rows(rows)), rows - 1)
        return [output[:rows] for output in self._session.run({name: array[index] for name, array in feeds.items()})]


def check_fused_attention(path: Path, options: ort.SessionOptions, providers: Sequence[Any], provider: str) -> None:
    """OptionError unless every attention of the classifier in `path` is fused and computed by `provider`.

    Looked up in the profile of one run: a graph may promise what the runtime then does elsewhere or in pieces.
    """
    with tempfile.TemporaryDirectory(prefix="undertone-profile-") as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "run")
        session = ort.InferenceSession(path, options, providers=list(providers))
        options.enable_profiling = False
        ones = np.ones(SAMPLE_SHAPE, np.int64)
        session.run(None, {entry.name: ones for entry in session.get_inputs()})
        ran = operators(json.loads(Path(session.end_profiling()).read_text()))
    attention = {place: count for (name, place), count in ran.items() if name in FUSED_ATTENTION}
    pieces = sum(count for (name, _), count in ran.items() if name == IN_PIECES)
    if pieces or set(attention) != {provider}:
        found = ", ".join(f"{count} by {place}" for place, count in sorted(attention.items())) or "none"
        raise OptionError(
            f"its attention is not fused on the GPU (fused: {found}; in pieces: {pieces}): export the model again (a "
            "starter model from what `python -m export.starter.restore` writes), or serve it with configs/gpu-trt.pbtxt"
        )


def operators(profile: Sequence[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    """How often each (operator, execution provider) ran, from a profile of ONNX Runtime."""
    ran: Counter[tuple[str, str]] = Counter()
    for event in profile:
        arguments = event.get("args", {})
        if event.get("cat") == "Node" and "op_name" in arguments and "provider" in arguments:
            ran[arguments["op_name"], arguments["provider"]] += 1
    return ran
