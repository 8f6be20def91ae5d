"""Models that take the same time for every request, whatever is in it, and next to no processor: for what many servers
do together on a machine that could not compute for them all.
"""

import re
from pathlib import Path

from export.repository import Repository
from tests.integration.exported import publish

LABELS = {"sentiment": ("negative", "neutral", "positive"), "emotion": ("joy", "anger", "fear")}
_MODEL = """\
import time

import numpy as np
import triton_python_backend_utils as triton


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            time.sleep({latency_s})
            rows = triton.get_input_tensor_by_name(request, "input_ids").as_numpy().shape[0]
            logits = np.tile(np.arange({labels}, dtype=np.float32), (rows, 1))
            responses.append(triton.InferenceResponse([triton.Tensor("logits", logits)]))
        return responses
"""


def make_repository(folder: Path, *, latency_s: float, instances: int) -> Repository:
    """`sentiment` and `emotion`, each with so many instances, each of which answers one request at a time."""
    made = Repository(folder)
    for name, labels in LABELS.items():
        version = made.version_folder(name, publish(made, name, labels))
        (version / "model.py").write_text(_MODEL.format(latency_s=latency_s, labels=len(labels)))
        file = version / "configs" / "cpu.pbtxt"
        text = file.read_text().replace('backend: "onnxruntime"', 'backend: "python"')
        text = text.replace('default_model_filename: "model.onnx"', "")
        text = re.sub(r"instance_group \[.*\]", f"instance_group [ {{ kind: KIND_CPU count: {instances} }} ]", text)
        text = re.sub(r"dynamic_batching \{.*?\n\}", "", text, flags=re.DOTALL)
        file.write_text(text[: text.find("model_warmup")])
    return made
