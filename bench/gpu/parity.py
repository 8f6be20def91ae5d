"""The same texts by fp32 PyTorch and by what serves: labels that agree, and how far probabilities move."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.gpu.device import CPU
from bench.gpu.plan import Plan
from bench.gpu.served import served
from bench.gpu.shapes import LOG, OURS
from bench.paths import RIVALS_PYTHON
from bench.progress import Progress
from bench.rival import started
from export.spec import FILES
from services.inference.scoring import probabilities
from services.local.cores import physical_cores

MODELS = ("sentiment", "emotion")
HALF = "fp16 file, ONNX Runtime on the processor"
REFERENCE_ROWS = 32


def measure(plan: Plan) -> list[dict[str, Any]]:
    """Of the starter models, whose answers mean something, and of those whose speed is measured, at random weights."""
    found = []
    for title, models in (("starter", plan.starter()), (plan.size, plan.models())):
        progress = Progress(f"parity of the {title} models", len(MODELS) + 1)
        progress.step("texts through Triton")
        with served(plan, models, MODELS) as ours:
            ours.clients.ask_one(do="texts", texts=list(plan.texts))
            logits = ours.clients.ask_one(do="logits")
        for name in MODELS:
            progress.step(f"{name} in fp32 by torch")
            expected = in_process(plan, name, runtime="torch_on_device", checkpoint=str(models.checkpoint(name)))
            served_here = probabilities(np.array(logits[name], np.float32), "softmax")
            found.append({"models": title, "model": name, "by": OURS, **agreement(served_here, expected)})
            half = models.repository / name / "1" / FILES["fp16"]
            if plan.device is CPU and half.exists():
                # What a GPU would serve, in the arithmetic of a processor: rounded to half precision in between.
                order = {"graph": str(half), "tokenizer": str(half.with_name("tokenizer.json"))}
                theirs = in_process(plan, name, runtime="onnxruntime_on_device", **order)
                found.append({"models": title, "model": name, "by": HALF, **agreement(theirs, expected)})
        progress.done()
    return found


def in_process(plan: Plan, name: str, **order: str) -> NDArray[np.float32]:
    """Probabilities `[texts, labels]` by another runtime; of torch, in fp32."""
    common = {"device": plan.device.name, "precision": "fp32", "threads": physical_cores()}
    with started(RIVALS_PYTHON, "bench.rivals", log=LOG) as rival:
        rival.ask(do="prepare", name=name, **common, **order)
        answer = rival.ask(do="probabilities", texts=list(plan.texts), rows=REFERENCE_ROWS)
    return np.array(answer["probabilities"], np.float32)


def agreement(found: NDArray[np.float32], expected: NDArray[np.float32]) -> dict[str, Any]:
    """Both are probabilities, `[texts, labels]`.

    `clear_disagreements`: labels that differ although the reference has no second one within 0.01 of its first.
    """
    same = found.argmax(axis=1) == expected.argmax(axis=1)
    ordered = np.sort(expected, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 0.01
    return {
        "texts": len(expected),
        "labels_agree": float(same.mean()),
        "clear_disagreements": int((~same & clear).sum()),
        "largest_change": float(np.abs(found - expected).max()),
    }


def worst(found: Sequence[dict[str, Any]], models: str = "starter") -> float:
    """The smallest agreement of any model of the set."""
    return min(float(each["labels_agree"]) for each in found if each["models"] == models)
