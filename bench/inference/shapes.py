"""DistilBERT at fixed shapes: Triton and our client, the same runtime in process, and what else there is."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.flops import flops_per_row, limit_rows_per_s
from bench.inference.alternatives import ALL, BEST_OF, Alternative, all_started
from bench.inference.client import IN_FLIGHT, Ours, connected
from bench.inference.served import InService, runtime_in_service
from bench.models import RECIPES, ModelSet
from bench.progress import Progress
from bench.rival import Rival
from bench.rounds import interleave, ratio, summary
from bench.servers import CHOICES, triton
from services.local.cores import physical_cores

NAME = "sentiment"
OURS = "Triton + client"
SAME = "same runtime in process"
# Beyond it the rate of fp32 changes no more, and a batch takes a minute.
MOST_TOKENS_FP32 = 8_192
LATENCY_RUNS = 9


@dataclass(frozen=True)
class Plan:
    """`cells`: (length, rows). `seconds`: what one measurement of one alternative takes, about. `peaks`: operations a
    second, by precision.
    """

    models: ModelSet
    cells: Sequence[tuple[int, int]]
    rounds: int
    seconds: float
    peaks: Mapping[str, float]


def measure(plan: Plan) -> dict[str, Any]:
    threads, models = physical_cores(), plan.models
    with triton(models.repository, [NAME]) as url, connected(url, models.repository) as ours:
        served = runtime_in_service(ours.config(NAME), models.repository, threads, CHOICES)
        same = Alternative(SAME, served.order["runtime"], served.precision, served.python, served.order)
        alternatives = {alternative.title: alternative for alternative in (same, *ALL)}
        with all_started(alternatives) as rivals:
            progress = Progress("inference", len(plan.cells) + len(rivals))
            settings = {}
            for title, rival in rivals.items():
                progress.step(f"loading: {title}")
                settings[title] = alternatives[title].prepare(rival, models, NAME, threads)
            found = []
            for length, rows in plan.cells:
                progress.step(f"{length} tokens, batch {rows}")
                small = length * rows <= MOST_TOKENS_FP32
                taking_part = {t: r for t, r in rivals.items() if small or alternatives[t].precision != "fp32"}
                found.append(_cell(plan, served, ours, taking_part, (length, rows)))
            progress.done()
    return {
        "model": f"{models.size} {NAME}",
        "served": served.title,
        "precision": served.precision,
        "settings": settings,
        "cells": found,
    }


def _cell(
    plan: Plan, served: InService, ours: Ours, rivals: Mapping[str, Rival], cell: tuple[int, int]
) -> dict[str, Any]:
    length, rows = cell
    model = ours.model(NAME)
    runs: dict[str, Callable[[int], float]] = {OURS: lambda times: ours.shape(model, rows, length, times)}
    alone: dict[str, Callable[[], float]] = {OURS: lambda: ours.shape(model, rows, length, 1, in_flight=1)}
    for title, rival in rivals.items():
        runs[title] = partial(_ask, rival, rows, length)
        alone[title] = partial(_ask, rival, rows, length, 1)
    timed = {
        # Ours with at least a few in flight: that is how it is used.
        title: partial(_rate, run, rows, _times(run, plan.seconds, IN_FLIGHT if title == OURS else 1))
        for title, run in runs.items()
    }
    rates = interleave(timed, plan.rounds)
    medians = {title: partial(_median, run) for title, run in alone.items()} if rows == 1 else {}
    latencies = interleave(medians, plan.rounds)
    recipe = RECIPES[plan.models.size][NAME]
    best = max((rates[title] for title in BEST_OF), key=statistics.median)
    peak = plan.peaks.get(served.precision)
    return {
        "length": length,
        "rows": rows,
        "rows_per_s": {title: summary(values) for title, values in rates.items()},
        "latency_ms": {title: summary([value * 1_000 for value in values]) for title, values in latencies.items()},
        "to_same_runtime": ratio(rates[OURS], rates[SAME]) if SAME in rates else None,
        "to_best_rival": ratio(rates[OURS], best),
        "gflop_per_row": flops_per_row(recipe, length) / 1e9,
        "limit_rows_per_s": {name: limit_rows_per_s(recipe, length, value) for name, value in plan.peaks.items()},
        "share_of_peak": statistics.median(rates[OURS]) * flops_per_row(recipe, length) / peak if peak else None,
    }


def _ask(rival: Rival, rows: int, length: int, times: int) -> float:
    return float(rival.ask(do="shape", rows=rows, length=length, times=times)["seconds"])


def _times(run: Callable[[int], float], seconds: float, least: int) -> int:
    """How many batches take about `seconds`; the first run of a shape is slow and only warms up."""
    run(1)
    one = max(1e-5, run(1))
    return min(5_000, max(least if one * least < 4 * seconds else 1, math.ceil(seconds / one)))


def _rate(run: Callable[[int], float], rows: int, times: int) -> float:
    return rows * times / run(times)


def _median(run: Callable[[], float]) -> float:
    return statistics.median(run() for _ in range(LATENCY_RUNS))
