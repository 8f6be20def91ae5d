"""ONNX Runtime in process on a GPU: the file that Triton serves, tensors bound on the device or left to the runtime,
whichever is faster.

On `cpu` it runs the same code, to try it out.
"""

import os

# Before ONNX Runtime is loaded: it would report its start.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from bench.rivals.runtime import Ids, Logits, Runtime, fastest, path_of

PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}


class OnnxOnDevice(Runtime):
    def __init__(self, session: Any, device: str, *, bound: bool) -> None:
        self._session = session
        self._device = device
        self._bound = bound

    def run(self, ids: Ids, mask: Ids) -> Logits:
        feeds = {"input_ids": ids, "attention_mask": mask}
        if not self._bound:
            (logits,) = self._session.run(["logits"], feeds)
            return np.asarray(logits, np.float32)
        binding = self._session.io_binding()
        for name, array in feeds.items():
            binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(array, self._device, 0))
        binding.bind_output("logits", self._device, 0)
        self._session.run_with_iobinding(binding)
        return np.asarray(binding.copy_outputs_to_cpu()[0], np.float32)


def prepare(order: dict[str, Any]) -> Runtime:
    device, provider = order["device"], PROVIDERS[order["device"]]
    options = onnxruntime.SessionOptions()
    if device == "cuda":
        # CUDA's libraries out of the wheels beside this one.
        onnxruntime.preload_dlls()
    else:
        options.intra_op_num_threads = order["threads"]
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(Path(order["graph"]), options, providers=[provider])
    if session.get_providers()[0] != provider:
        raise RuntimeError(f"ONNX Runtime cannot start its {provider}: its log says which library is missing")
    runtime = fastest(
        [
            (f"{name}, ONNX Runtime {onnxruntime.__version__}", partial(OnnxOnDevice, session, device, bound=bound))
            for name, bound in (("bound", True), ("not bound", False))
        ]
    )
    runtime.tokenizer = path_of(order, "tokenizer")
    return runtime
