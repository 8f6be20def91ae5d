"""The whole system on this machine: posts a second from a full stream to stored rows, and what limits it then."""

import asyncio
from pathlib import Path
from typing import Any

from bench import posts
from bench.gpu.device import CPU, Sampler
from bench.gpu.plan import Plan
from bench.pipeline.drain import drain, warm_up
from bench.progress import Progress
from bench.rounds import summary
from bench.undertone import running
from services.local.cores import physical_cores

TEXTS = 5_000
WARM_UP_POSTS = 512
# A queue for so many seconds. While it is filled the workers stand still: for too long, and the supervisor would start
# others.
SECONDS, QUICK_SECONDS = 10.0, 1.0
MOST_POSTS, FEWEST_POSTS = 300_000, 512
# Each has a few batches under way; more would only wait in front of the GPU.
WORKERS_PER_CORE = 0.5
# A GPU is not full with the few thousand tokens of a request that a processor computes best.
SETTINGS = {
    "MAX_TOKENS_PER_REQUEST": "32768",
    "WORKER_BATCH_SIZE": "1024",
    "WORKER_BATCHES_IN_FLIGHT": "3",
}
# Above it, more of the same would not help.
BUSY = 0.9


def measure(plan: Plan, file: Path | None) -> dict[str, Any]:
    return asyncio.run(_measure(plan, posts.texts(file, TEXTS)))


def workers(cores: int) -> int:
    return max(1, int(cores * WORKERS_PER_CORE))


async def _measure(plan: Plan, texts: list[str]) -> dict[str, Any]:
    count_workers = 2 if plan.quick else workers(physical_cores())
    settings = {} if plan.device is CPU else {**SETTINGS, "LOCAL_TRITON_CONFIG": plan.device.config}
    progress = Progress("pipeline", plan.rounds + 2)
    progress.step(f"starting the system with {count_workers} workers")
    async with running(plan.models(), texts, settings, workers=count_workers) as undertone:
        progress.step("warming up")
        rate = await warm_up(undertone, WARM_UP_POSTS)
        seconds = QUICK_SECONDS if plan.quick else SECONDS
        if not plan.quick:
            rate = (await drain(undertone, _count(rate, seconds / 2), "warmer"))["posts_per_s"]
        runs = []
        for number in range(plan.rounds):
            count = _count(rate, seconds)
            progress.step(f"round {number + 1} of {plan.rounds}, {count:,} posts")
            with Sampler(plan.device) as sampler:
                runs.append(await drain(undertone, count, f"round-{number}"))
            runs[-1] |= sampler.medians()
        progress.done()
    cores = physical_cores()
    run = sorted(runs, key=lambda each: float(each["posts_per_s"]))[len(runs) // 2]
    return {
        "workers": count_workers,
        "cores": cores,
        "settings": settings,
        "posts_per_s": summary([float(each["posts_per_s"]) for each in runs]),
        "cpu_ms_per_post": run["cpu_ms_per_post"],
        "gpu_percent": run["gpu_percent"],
        "power_w": run["power_w"],
        "limit": limit(run, count_workers, cores),
    }


def _count(rate: float, seconds: float) -> int:
    return int(min(MOST_POSTS, max(FEWEST_POSTS, rate * seconds)))


def limit(run: dict[str, Any], count_workers: int, cores: int) -> str:
    """In a sentence, what is used up at this rate, and so what to do next."""
    rate, cpu = float(run["posts_per_s"]), run["cpu_ms_per_post"]
    cores_used = rate * sum(cpu.values()) / 1_000
    gpu = run.get("gpu_percent")
    single = {
        name: rate * milliseconds / 1_000 / (count_workers if name == "worker" else 1)
        for name, milliseconds in cpu.items()
        if name in ("worker", "redis", "api", "feeder")
    }
    busiest = max(single, key=lambda name: single[name], default=None)
    used = f"{cores_used:.1f} of {cores} cores are busy" + ("" if gpu is None else f", the GPU {gpu:.0f} % of the time")
    if gpu is not None and gpu >= 100 * BUSY:
        return f"the GPU: {used}; a second one, a smaller model or int8 would raise it"
    if cores_used >= BUSY * cores:
        return f"the processor: {used}; more cores would raise it"
    if busiest is not None and single[busiest] >= BUSY:
        share = f"a process of {busiest} uses {single[busiest]:.2f} of its one core"
        return f"{busiest}: {share}, {used}; " + (
            "more workers would raise it" if busiest == "worker" else "shards would raise it"
        )
    return f"waiting: {used}, and no process has used up a core; more workers or more batches under way would raise it"
