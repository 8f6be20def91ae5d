"""`python -m bench soak`: whether memory stays flat over a million posts, with models of negligible cost.

Each process' memory is sampled over the run. What a process gains while it gets going (buffers, caches, code) is not a
leak: growth counts from the first tenth of the posts on.
"""

import asyncio
import statistics
import time
from typing import Any

from bench import posts
from bench.charts import Chart, Series
from bench.models import model_set
from bench.options import Options
from bench.pipeline.drain import rows
from bench.progress import Progress
from bench.report import table
from bench.undertone import GROUP, PARTS, Undertone, running
from bench.usage import memory_of

POSTS, QUICK_POSTS = 1_000_000, 20_000
TEXTS = 5_000
# The feeder stops at so many unread posts, as the ingester does at its own limit.
MAX_LAG = 20_000
SAMPLES = 240
WARM_UP_SHARE = 0.1
# A first and a last value are means over so much of the run: single samples wobble.
WINDOW_SHARE = 0.1


def measure(options: Options) -> dict[str, Any]:
    return asyncio.run(_measure(options))


async def _measure(options: Options) -> dict[str, Any]:
    count = options.count or (QUICK_POSTS if options.quick else POSTS)
    size = options.size or "tiny"
    progress = Progress("soak", 100)
    progress.note("starting the system")
    async with running(model_set(size, print), posts.texts(options.posts, TEXTS)) as undertone:
        began = time.monotonic()
        samples = await _run(undertone, count, progress)
        seconds = time.monotonic() - began
        stored = await rows(undertone)
        assert stored == count, f"{count:,} posts went in, {stored:,} are stored"
        seen, dropped = undertone.browser.ask(do="count"), undertone.dropped()
    progress.done()
    return {
        "models": size,
        "posts": count,
        "seconds": seconds,
        "posts_per_s": count / seconds,
        "frames_received": seen["posts"],
        "frames_dropped": dropped,
        "samples": samples,
        "growth": {name: flatness([sample["memory_mb"].get(name) for sample in samples]) for name in PARTS},
    }


async def _run(undertone: Undertone, count: int, progress: Progress) -> list[dict[str, Any]]:
    order = {"do": "keep_full", "count": count, "prefix": "soak", "group": GROUP, "max_lag": MAX_LAG}
    feeding = asyncio.create_task(asyncio.to_thread(lambda: undertone.feed.ask(**order)))
    feeding.add_done_callback(lambda task: task.cancelled() or task.exception())  # asked for below, or by nobody
    samples: list[dict[str, Any]] = []
    next_at = 0.0
    began = time.monotonic()
    while True:
        state = await undertone.state()
        finished = feeding.done() and state.lag == 0 and state.pending == 0
        done = await _stored(undertone)
        if done >= next_at or finished:
            samples.append(
                {"posts": done, "seconds": time.monotonic() - began, "memory_mb": memory_of(undertone.pids())}
            )
            # The browser's own record is not what is looked at here.
            undertone.browser.ask(do="arrivals")
            next_at = done + count / SAMPLES
            progress.percent(
                done / count, f"{done:,.0f} posts, worker {samples[-1]['memory_mb'].get('worker', 0):.0f} MB"
            )
        if finished:
            await feeding
            return samples
        await asyncio.sleep(0.25)


async def _stored(undertone: Undertone) -> float:
    samples = await asyncio.to_thread(undertone.worker_metrics)
    return sum(value for (name, _), value in samples.items() if name == "undertone_worker_posts_stored_total")


def flatness(values: list[float | None]) -> dict[str, float]:
    """Means of the first and the last window after the warm-up, and the growth between them, in MB and per cent."""
    known = [value for value in values if value is not None]
    settled = known[int(len(known) * WARM_UP_SHARE) :] or [0.0]
    window = max(1, int(len(settled) * WINDOW_SHARE))
    first, last = statistics.fmean(settled[:window]), statistics.fmean(settled[-window:])
    growth = last - first
    return {"first_mb": first, "last_mb": last, "growth_mb": growth, "growth": growth / first if first else 0.0}


def tables(results: dict[str, Any]) -> str:
    return "\n\n".join(
        [
            f"{results['posts']:,} posts in {results['seconds']:,.0f} s ({results['posts_per_s']:,.0f} a second, the "
            "feeder and the sampling on the same cores); memory after the warm-up and at the end, MB:",
            table(
                ["", "after the first tenth", "at the end", "growth", "growth, %"],
                [
                    [name, row["first_mb"], row["last_mb"], row["growth_mb"], f"{row['growth']:.1%}"]
                    for name, row in results["growth"].items()
                ],
            ),
            "Redis keeps what nobody has read yet, PostgreSQL fills its shared buffers.",
        ]
    )


def charts(results: dict[str, Any]) -> list[Chart]:
    samples = results["samples"]
    return [
        Chart(
            name="soak",
            title=f"Memory over {results['posts']:,} posts",
            kind="line",
            x_label="posts stored",
            y_label="MB",
            series=[
                Series(
                    name,
                    [sample["posts"] for sample in samples if name in sample["memory_mb"]],
                    [sample["memory_mb"][name] for sample in samples if name in sample["memory_mb"]],
                    strong=name in ("worker", "api"),
                )
                for name in PARTS
            ],
        )
    ]
