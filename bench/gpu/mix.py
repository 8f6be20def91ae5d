"""Texts of real lengths through both models, tokenization included: our callers, and torch in the order of arrival."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from bench.gpu.plan import Plan
from bench.gpu.served import Served, served
from bench.gpu.shapes import LOG, OURS
from bench.models import ModelSet
from bench.paths import RIVALS_PYTHON
from bench.progress import Progress
from bench.rival import Rival, started
from bench.rounds import interleave, ratio, summary
from services.local.cores import physical_cores

MODELS = ("sentiment", "emotion")
BATCHES = (64, 256)
# Texts of a call, as a worker under load reads them, and calls of one process at once.
A_CALL, AT_ONCE = 512, 3
QUICK_A_CALL = 64


def measure(plan: Plan) -> dict[str, Any]:
    models = plan.models()
    progress = Progress("length mix", plan.rounds + 1)
    with ExitStack() as stack:
        ours = stack.enter_context(served(plan, models, MODELS))
        torch = stack.enter_context(started(RIVALS_PYTHON, "bench.rivals", log=LOG))
        progress.step("loading torch")
        for name in MODELS:
            _prepare(plan, torch, models, name)
        ours.clients.ask(do="texts", texts=list(plan.texts))
        analyse(plan, ours)
        runs: list[dict[str, Any]] = []

        def measured() -> float:
            runs.append(analyse(plan, ours))
            return float(runs[-1]["rows_per_s"])

        alternatives: dict[str, Callable[[], float]] = {OURS: measured}
        for rows in BATCHES[:1] if plan.quick else BATCHES:
            alternatives[f"torch, batch {rows}"] = partial(_torch, torch, plan, rows)
        progress.step(f"{len(plan.texts)} texts, {plan.rounds} rounds")
        rates = interleave(alternatives, plan.rounds)
    progress.done()
    return {
        "texts": len(plan.texts),
        "texts_per_s": {title: summary(values) for title, values in rates.items()},
        "to": {title: ratio(rates[OURS], values) for title, values in rates.items() if title != OURS},
        "ours": runs[-1],
    }


def analyse(plan: Plan, ours: Served) -> dict[str, Any]:
    """Texts a second of all callers through both models, and what it cost; the counters are the emotion model's."""
    a_call = QUICK_A_CALL if plan.quick else A_CALL
    return ours.measured("emotion", do="analyse", a_call=a_call, at_once=AT_ONCE, seconds=plan.seconds)


def _prepare(plan: Plan, torch: Rival, models: ModelSet, name: str) -> None:
    torch.ask(
        do="prepare",
        name=name,
        runtime="torch_on_device",
        checkpoint=str(models.checkpoint(name)),
        device=plan.device.name,
        precision=plan.device.precision,
        threads=physical_cores(),
    )


def _torch(torch: Rival, plan: Plan, rows: int) -> float:
    texts = list(plan.texts)
    return len(texts) / float(torch.ask(do="texts", texts=texts, rows=rows)["seconds"])
