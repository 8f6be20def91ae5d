"""torch with transformers on a GPU, as a careful user would run it: half precision, SDPA attention, pinned copies,
nothing waited for in between; compiled, too.

On `cpu` it runs the same code, to try it out.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from bench.rivals.runtime import Ids, Logits, Runtime

DTYPES = {"fp32": torch.float32, "fp16": torch.float16}


class TorchOnDevice(Runtime):
    def __init__(self, checkpoint: Path, device: str, dtype: torch.dtype, *, compiled: bool) -> None:
        self._device = torch.device(device)
        model: Any = AutoModelForSequenceClassification.from_pretrained(
            checkpoint, dtype=dtype, attn_implementation="sdpa", local_files_only=True
        ).eval()
        model = model.to(self._device)
        # Each shape is compiled for itself, and its kernels are launched as one CUDA graph.
        self._model = torch.compile(model, dynamic=False, mode="reduce-overhead") if compiled else model
        self._compiled = compiled

    def run(self, ids: Ids, mask: Ids) -> Logits:
        with torch.inference_mode():
            return np.asarray(self._forward(*self._pinned(ids, mask)).float().cpu().numpy(), np.float32)

    def run_times(self, ids: Ids, mask: Ids, times: int) -> None:
        """Copies, kernels and answers of all batches are queued, and waited for at the end alone."""
        pinned = self._pinned(ids, mask)
        with torch.inference_mode():
            answers = [self._forward(*pinned) for _ in range(times)]
            for answer in answers:
                answer.cpu()

    def _pinned(self, ids: Ids, mask: Ids) -> tuple[Any, Any]:
        tensors = torch.from_numpy(ids), torch.from_numpy(mask)
        return tensors if self._device.type == "cpu" else (tensors[0].pin_memory(), tensors[1].pin_memory())

    def _forward(self, ids: Any, mask: Any) -> Any:
        if self._compiled:
            torch.compiler.cudagraph_mark_step_begin()
        inputs = {
            "input_ids": ids.to(self._device, non_blocking=True),
            "attention_mask": mask.to(self._device, non_blocking=True),
        }
        logits = self._model(**inputs).logits
        # A graph writes the next answer where this one is.
        return logits.clone() if self._compiled else logits


def prepare(order: dict[str, Any]) -> Runtime:
    if order["device"] == "cpu":
        torch.set_num_threads(order["threads"])
    compiled = bool(order.get("compiled"))
    checkpoint = Path(order["checkpoint"])
    runtime = TorchOnDevice(checkpoint, order["device"], DTYPES[order["precision"]], compiled=compiled)
    runtime.setting = f"{order['precision']}{', compiled' if compiled else ''}, torch {torch.__version__}"
    runtime.tokenizer = checkpoint / "tokenizer.json"
    return runtime
