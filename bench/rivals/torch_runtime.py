"""torch with transformers, as a careful user would run it: inference mode, SDPA attention, all cores."""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from bench.rivals.runtime import Ids, Logits, Runtime, fastest


class TorchRuntime(Runtime):
    def __init__(self, checkpoint: Path, *, weights: str, autocast: bool) -> None:
        self._model: Any = AutoModelForSequenceClassification.from_pretrained(
            checkpoint, dtype=getattr(torch, weights), attn_implementation="sdpa", local_files_only=True
        ).eval()
        self._autocast = autocast

    def run(self, ids: Ids, mask: Ids) -> Logits:
        cast: AbstractContextManager[Any] = torch.autocast("cpu", torch.bfloat16) if self._autocast else nullcontext()
        with torch.inference_mode(), cast:
            logits = self._model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).logits
        return np.asarray(logits.float().numpy(), np.float32)


def prepare(order: dict[str, Any]) -> Runtime:
    torch.set_num_threads(order["threads"])
    make = partial(TorchRuntime, Path(order["checkpoint"]))
    if order["precision"] == "fp32":
        candidates = [("fp32", partial(make, weights="float32", autocast=False))]
    else:
        candidates = [
            ("weights in bf16", partial(make, weights="bfloat16", autocast=False)),
            ("autocast to bf16", partial(make, weights="float32", autocast=True)),
        ]
    runtime = fastest(candidates)
    runtime.tokenizer = Path(order["checkpoint"]) / "tokenizer.json"
    return runtime
