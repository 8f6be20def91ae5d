"""Real post lengths through both models: our whole path against torch bf16 in batches, in the order of arrival.

And what a text's neighbours do to its answer.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from bench.inference.alternatives import DYNAMIC_INT8, TORCH_BF16, Alternative, all_started
from bench.inference.client import Ours, connected
from bench.models import ModelSet
from bench.progress import Progress
from bench.rival import Rival
from bench.rounds import interleave, ratio, summary
from bench.servers import triton
from services.common.messages import Analysis
from services.local.cores import physical_cores

OURS = "Analyzer and Triton"
MODELS = ("sentiment", "emotion")
BATCHES = (32, 64)
# A call for each text, eight of them at once: nothing is shared but the server.
ALONE_AT_ONCE = 8


def measure(models: ModelSet, texts: Sequence[str], *, rounds: int) -> dict[str, Any]:
    threads = physical_cores()
    progress = Progress("length mix", 2)
    with (
        triton(models.repository) as url,
        connected(url, models.repository) as ours,
        all_started({TORCH_BF16.title: TORCH_BF16}) as rivals,
    ):
        (torch,) = rivals.values()
        progress.step("loading torch")
        setting = [TORCH_BF16.prepare(torch, models, name, threads) for name in MODELS]
        ours.analyse(texts[:256])
        torch.ask(do="texts", texts=list(texts[:64]), rows=32)
        progress.step(f"{len(texts)} texts")
        runs: dict[str, Callable[[], float]] = {OURS: lambda: len(texts) / ours.analyse(texts)[0]}
        for rows in BATCHES:
            runs[f"{TORCH_BF16.title}, batch {rows}"] = partial(_torch, torch, texts, rows)
        rates = interleave(runs, rounds)
        progress.done()
    return {
        "texts": len(texts),
        "setting": setting,
        "texts_per_s": {title: summary(values) for title, values in rates.items()},
        "ratio": {title: ratio(rates[OURS], values) for title, values in rates.items() if title != OURS},
    }


def _torch(rival: Rival, texts: Sequence[str], rows: int) -> float:
    return len(texts) / float(rival.ask(do="texts", texts=list(texts), rows=rows)["seconds"])


def independence(models: ModelSet, texts: Sequence[str]) -> list[dict[str, Any]]:
    """For each way to run the models: how far a probability moves between alone and in a batch, and labels changed."""
    progress = Progress("independence", 2)
    found = []
    with triton(models.repository) as url, connected(url, models.repository) as ours:
        progress.step(OURS)
        found.append({"models": models.size, "runtime": OURS, "texts": len(texts), **_ours(ours, texts)})
    rivals: list[Alternative] = [DYNAMIC_INT8, *([TORCH_BF16] if models.checkpoints else [])]
    with all_started({alternative.title: alternative for alternative in rivals}) as started:
        for alternative in rivals:
            progress.note(alternative.title)
            rival = started[alternative.title]
            alternative.prepare(rival, models, MODELS[0], physical_cores())
            alone, batched = (
                rival.ask(do="probabilities", texts=list(texts), rows=rows)["probabilities"] for rows in (1, 32)
            )
            found.append(
                {"models": models.size, "runtime": alternative.title, "texts": len(texts), **moved(alone, batched)}
            )
    progress.done()
    return found


def _ours(ours: Ours, texts: Sequence[str]) -> dict[str, Any]:
    order = random.Random(1).sample(range(len(texts)), len(texts))
    _, shuffled = ours.analyse([texts[i] for i in order])
    together = dict(zip(order, shuffled, strict=True))
    _, alone = ours.analyse(texts, a_call=1, at_once=ALONE_AT_ONCE)

    def verdicts(analysis: Analysis) -> tuple[tuple[str, float], tuple[str, float]]:
        return (
            (analysis.sentiment_label, analysis.confidence),
            (analysis.emotion, analysis.emotion_confidence),
        )

    largest, changed = 0.0, 0
    for i, single in enumerate(alone):
        for (label, a), (other, b) in zip(verdicts(single), verdicts(together[i]), strict=True):
            largest, changed = max(largest, abs(a - b)), changed + (label != other)
    return {"largest_change": largest, "labels_changed": changed}


def moved(alone: Sequence[Sequence[float]], batched: Sequence[Sequence[float]]) -> dict[str, Any]:
    """The largest change of any probability, and how many likeliest labels are others."""
    rows = list(zip(alone, batched, strict=True))
    return {
        "largest_change": max(abs(a - b) for one, other in rows for a, b in zip(one, other, strict=True)),
        "labels_changed": int(sum(np.argmax(one) != np.argmax(other) for one, other in rows)),
    }
