"""Fixed shapes: Triton and our callers, ONNX Runtime called directly, torch in half precision, and that compiled."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from bench.flops import flops_per_row
from bench.gpu.plan import Plan
from bench.gpu.served import Served, served
from bench.models import ModelSet
from bench.paths import RIVALS_PYTHON, WORK
from bench.progress import Progress
from bench.rival import Rival, started
from bench.rounds import interleave, quantiles, ratio, summary
from services.local.cores import physical_cores

OURS, DIRECT, TORCH, COMPILED = "Triton + client", "ONNX Runtime directly", "torch", "torch, compiled"
LOG = WORK / "gpu-rivals.log"
# Requests of one process at once. Rows of few texts need many of them to fill anything.
ROWS_IN_FLIGHT, MOST_IN_FLIGHT, LEAST_IN_FLIGHT = 1_024, 16, 2
SINGLE_REQUESTS = 200


def measure(plan: Plan, peak_flops: float | None) -> dict[str, Any]:
    models = plan.models()
    return {name: _model(plan, models, name, peak_flops) for name in _names(plan)}


def _names(plan: Plan) -> list[str]:
    return ["sentiment"] if plan.quick else ["sentiment", "emotion", *(["distilroberta"] if plan.size == "gpu" else [])]


def _model(plan: Plan, models: ModelSet, name: str, peak_flops: float | None) -> dict[str, Any]:
    cells = plan.cells(name)
    progress = Progress(f"shapes of {name}", len(cells) + 1)
    with served(plan, models, [name]) as ours, rivals(plan, models, name) as others:
        progress.step("loading the others")
        settings = {title: prepare() for title, (_, prepare) in others.items()}
        found = []
        for cell in cells:
            progress.step(f"{cell[0]} tokens, batch {cell[1]}")
            taking_part = {
                title: rival for title, (rival, _) in others.items() if title != COMPILED or plan.compiled(cell)
            }
            found.append(_cell(ours, taking_part, name, cell, peak_flops))
        single = _single(ours, name)
    progress.done()
    recipe = plan.recipe(name)
    return {
        "model": f"{recipe.architecture}, {recipe.layers} x {recipe.hidden}",
        "settings": settings,
        "cells": found,
        "single_request_ms": single,
    }


@contextmanager
def rivals(plan: Plan, models: ModelSet, name: str) -> Iterator[Mapping[str, tuple[Rival, Callable[[], str]]]]:
    """A process for each, and what loads its model and tells how."""
    device, checkpoint = plan.device, str(models.checkpoint(name))
    common = {"device": device.name, "precision": device.precision, "threads": physical_cores()}
    torch = {"runtime": "torch_on_device", "checkpoint": checkpoint, **common}
    orders: dict[str, tuple[Any, dict[str, Any]]] = {
        DIRECT: (
            device.triton_python,
            {"runtime": "onnxruntime_on_device", "graph": str(plan.graph(models, name)), **common},
        ),
        TORCH: (RIVALS_PYTHON, torch),
    }
    if any(plan.compiled(cell) for cell in plan.cells(name)):
        orders[COMPILED] = (RIVALS_PYTHON, {**torch, "compiled": True})
    with ExitStack() as stack:
        found = {}
        for title, (python, order) in orders.items():
            rival = stack.enter_context(started(python, "bench.rivals", log=LOG))
            found[title] = (rival, partial(_prepare, rival, name, order))
        yield found


def _prepare(rival: Rival, name: str, order: dict[str, Any]) -> str:
    return str(rival.ask(do="prepare", name=name, **order)["setting"])


def _cell(
    ours: Served, others: Mapping[str, Rival], name: str, cell: tuple[int, int], peak_flops: float | None
) -> dict[str, Any]:
    plan, (length, rows) = ours.plan, cell
    order = {"do": "shape", "rows": rows, "length": length, "in_flight": in_flight(rows)}
    runs: list[dict[str, Any]] = []
    ours.clients.rate(name=name, **order, seconds=plan.seconds / 4)

    def measured() -> float:
        runs.append(ours.measured(name, **order, seconds=plan.seconds))
        return float(runs[-1]["rows_per_s"])

    alternatives: dict[str, Callable[[], float]] = {OURS: measured}
    for title, rival in others.items():
        alternatives[title] = partial(_rate, rival, rows, length, _times(rival, rows, length, plan.seconds))
    rates = interleave(alternatives, plan.rounds)
    operations = flops_per_row(plan.recipe(name), length)
    median = {title: summary(values) for title, values in rates.items()}
    return {
        "length": length,
        "rows": rows,
        "rows_per_s": median,
        "tokens_per_s": {title: each["median"] * length for title, each in median.items()},
        "tflops": {title: each["median"] * operations / 1e12 for title, each in median.items()},
        "share_of_peak": {
            title: each["median"] * operations / peak_flops if peak_flops else None for title, each in median.items()
        },
        "to": {title: ratio(rates[OURS], values) for title, values in rates.items() if title != OURS},
        "ours": _middle(runs),
    }


def in_flight(rows: int) -> int:
    """Requests that one process has under way."""
    return max(LEAST_IN_FLIGHT, min(MOST_IN_FLIGHT, ROWS_IN_FLIGHT // rows))


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run of the median rate, whole: figures of one run belong together."""
    return sorted(runs, key=lambda run: float(run["rows_per_s"]))[len(runs) // 2]


def _times(rival: Rival, rows: int, length: int, seconds: float) -> int:
    """How many batches take about `seconds`; the first run of a shape is slow and only warms up."""

    def one(times: int) -> float:
        return float(rival.ask(do="shape", rows=rows, length=length, times=times)["seconds"]) / times

    one(3)
    return min(20_000, max(3, math.ceil(seconds / max(1e-5, one(3)))))


def _rate(rival: Rival, rows: int, length: int, times: int) -> float:
    return rows * times / float(rival.ask(do="shape", rows=rows, length=length, times=times)["seconds"])


def _single(ours: Served, name: str) -> dict[str, float]:
    """One row of 32 tokens after the other, by one caller: milliseconds over gRPC."""
    order = {"do": "single", "name": name, "rows": 1, "length": 32, "times": SINGLE_REQUESTS}
    ours.clients.ask_one(**order)
    latencies = ours.clients.ask_one(**order)["latencies_s"]
    return quantiles([1_000 * latency for latency in latencies])
