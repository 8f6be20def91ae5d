"""`python -m bench latency`: from XADD to the frame in a browser, at 20, 50 and 80 % of what the system can do.

Posts arrive one by one at random moments (Poisson) that were drawn before: the schedule waits for no answer, so that it
shows when a system falls behind. The clock starts when the command is sent and stops when the frame was received, in
two processes of one machine with one clock.
"""

import asyncio
import statistics
from typing import Any

from bench import posts, prometheus
from bench.charts import Chart, Series
from bench.models import model_set
from bench.options import Options
from bench.paths import results_file
from bench.pipeline.drain import drain
from bench.progress import Progress
from bench.report import load, table
from bench.rounds import percentile, quantiles
from bench.undertone import Undertone, running
from bench.usage import cpu_of, growth

LOADS = (0.2, 0.5, 0.8)
STAGES = "undertone_worker_stage_seconds"
TOKENIZATION = "undertone_tokenization_seconds"
TEXTS = 5_000
CAPACITY_SECONDS = 8.0
# What is not on the page so long after the last post was lost on the way.
SETTLE_S = 2.0
# Percentiles of the curve in the plot.
CURVE = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 97, 98, 99, 99.5, 99.9)
REST = "stream, Redis, API, WebSocket"


def measure(options: Options) -> dict[str, Any]:
    return asyncio.run(_measure(options))


async def _measure(options: Options) -> dict[str, Any]:
    size = options.size or "starter"
    seconds = options.seconds or (4.0 if options.quick else 60.0)
    rounds = options.rounds or 1
    models = model_set(size, print)
    progress = Progress("latency", len(LOADS) * rounds + 2)
    progress.step("starting the system")
    async with running(models, posts.texts(options.posts, TEXTS)) as undertone:
        progress.step("measuring the capacity")
        capacity, source = await _capacity(undertone, options, size)
        loads = []
        for number in range(rounds):
            for share in LOADS:
                rate = share * capacity
                progress.step(f"{share:.0%}: {rate:,.0f} posts a second")
                loads.append({"share": share, **await _open_loop(undertone, rate, seconds, seed=number)})
        progress.done()
    return {"models": size, "capacity_posts_per_s": capacity, "capacity_from": source, "loads": loads}


async def _capacity(undertone: Undertone, options: Options, size: str) -> tuple[float, str]:
    """As given, as `pipeline` measured it, or measured now. The system is warm afterwards in any case."""
    rate = float((await drain(undertone, 256, "warm"))["posts_per_s"])
    if options.capacity:
        return options.capacity, "given"
    measured = None if options.quick else load(results_file("pipeline"))
    if measured and size in measured["results"]:
        return float(measured["results"][size]["posts_per_s"]["Undertone"]["median"]), "pipeline"
    count = int(max(256, rate * (2.0 if options.quick else CAPACITY_SECONDS)))
    return float((await drain(undertone, count, "capacity"))["posts_per_s"]), "measured before"


async def _open_loop(undertone: Undertone, rate: float, seconds: float, seed: int) -> dict[str, Any]:
    undertone.browser.ask(do="arrivals")
    worker, dropped, cpu = undertone.worker_metrics(), undertone.dropped(), cpu_of(undertone.pids())
    prefix = f"load-{rate:.0f}-{seed}"
    # On a thread: this process polls nothing meanwhile, it only waits.
    order = {"do": "poisson", "rate": rate, "seconds": seconds, "seed": seed, "prefix": prefix}
    answer = await asyncio.to_thread(lambda: undertone.feed.ask(**order))
    await undertone.drained()
    await asyncio.sleep(SETTLE_S)
    arrivals: dict[str, float] = undertone.browser.ask(do="arrivals")["arrivals"]
    sent: dict[str, float] = answer["sent"]
    latencies = [arrivals[post] - at for post, at in sent.items() if post in arrivals]
    stages = stages_between(worker, undertone.worker_metrics())
    return {
        "rate": rate,
        "posts": len(sent),
        "arrived": len(latencies),
        "frames_dropped": undertone.dropped() - dropped,
        "latency_s": quantiles(latencies),
        "mean_s": statistics.fmean(latencies),
        "curve_s": {str(percent): percentile(latencies, percent) for percent in CURVE},
        "schedule_late_s": quantiles(answer["late_s"]),
        "stages": stages,
        "shares": shares(statistics.fmean(latencies), stages),
        "cpu_share": growth(cpu, cpu_of(undertone.pids()), per=seconds),
    }


def stages_between(before: prometheus.Samples, after: prometheus.Samples) -> dict[str, float]:
    """Mean seconds of each of the worker's stages; analysis as its two parts, tokenization and inference."""
    means = {name: stage["mean_s"] for name, stage in prometheus.stage_means(before, after, STAGES).items()}
    sums, counts = (
        prometheus.total(after, f"{TOKENIZATION}_{kind}") - prometheus.total(before, f"{TOKENIZATION}_{kind}")
        for kind in ("sum", "count")
    )
    tokenize = sums / counts if counts else 0.0
    split: dict[str, float] = {}
    for name, mean in means.items():
        split |= {"tokenize": tokenize, "infer": max(0.0, mean - tokenize)} if name == "analyse" else {name: mean}
    return split


def shares(mean_s: float, stages: dict[str, float]) -> dict[str, float]:
    """What part of the mean latency each of the worker's stages is, and what is left for all that is not the worker.

    A stage's mean is that of its batches. Where stages overlap, or full batches take longer than small ones, the rest
    is too small by as much, and never less than nothing.
    """
    parts = {name: seconds / mean_s for name, seconds in stages.items()}
    return {**parts, REST: max(0.0, 1.0 - sum(parts.values()))}


def tables(results: dict[str, Any]) -> str:
    loads = results["loads"]
    stages = list(dict.fromkeys(name for load in loads for name in load["shares"]))
    return "\n\n".join(
        [
            f"From XADD to the frame in a browser, {results['models']} models; 100 % are "
            f"{results['capacity_posts_per_s']:,.0f} posts a second ({results['capacity_from']}). Milliseconds:",
            table(
                ["load", "posts a second", "p50", "p95", "p99", "highest", "posts", "not arrived"],
                [
                    [
                        f"{load['share']:.0%}",
                        load["rate"],
                        *(load["latency_s"][name] * 1_000 for name in ("p50", "p95", "p99", "max")),
                        load["posts"],
                        load["posts"] - load["arrived"],
                    ]
                    for load in loads
                ],
            ),
            "Where the mean goes:",
            table(
                ["load", "mean, ms", *stages],
                [
                    [
                        f"{load['share']:.0%}",
                        load["mean_s"] * 1_000,
                        *(f"{load['shares'].get(stage, 0.0):.0%}" for stage in stages),
                    ]
                    for load in loads
                ],
            ),
        ]
    )


def charts(results: dict[str, Any]) -> list[Chart]:
    return [
        Chart(
            name="latency",
            title="From XADD to the frame in a browser",
            kind="line",
            x_label="percentile",
            y_label="milliseconds",
            y_log=True,
            series=[
                Series(
                    f"{load['share']:.0%} load, {load['rate']:,.0f} posts a second",
                    [float(percent) for percent in load["curve_s"]],
                    [seconds * 1_000 for seconds in load["curve_s"].values()],
                )
                for load in results["loads"]
            ],
        )
    ]
