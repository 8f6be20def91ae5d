"""Each set of models in a system of its own; within it the alternatives take turns."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from bench import posts
from bench.inference.client import analyse
from bench.models import ModelSet, model_set
from bench.options import Options
from bench.pipeline.drain import drain, warm_up
from bench.pipeline.usual import usual_design
from bench.progress import Progress
from bench.rounds import ratio, summary
from bench.undertone import Undertone, running
from services.inference.analyzer import open_analyzer

OURS, ALONE, USUAL = "Undertone", "both models alone", "usual design"
TEXTS = 5_000
WARM_UP_POSTS = 256
# A longer queue tells nothing more, and while it is filled, the worker stands still: for too long, and the supervisor
# would start another one.
MOST_POSTS = 60_000
# Several batches of the worker: fewer, and nothing could overlap.
FEWEST_POSTS, QUICK_FEWEST_POSTS = 1_024, 256
# Posts of one call when the models are measured alone: large batches, and two calls so that Triton never waits.
ALONE_TEXTS_A_CALL, ALONE_AT_ONCE = 1_024, 2
USUAL_POSTS, QUICK_USUAL_POSTS = 150, 8


def measure(options: Options) -> dict[str, Any]:
    sizes = [options.size] if options.size else ["starter", "tiny"] if options.quick else ["full", "starter", "tiny"]
    return {size: asyncio.run(_measure(model_set(size, print), options)) for size in sizes}


async def _measure(models: ModelSet, options: Options) -> dict[str, Any]:
    rounds = options.rounds or (1 if options.quick else 3)
    seconds = options.seconds or (2.0 if options.quick else 12.0)
    texts = posts.texts(options.posts, TEXTS)
    progress = Progress(f"pipeline, {models.size}", rounds + 2)
    progress.step("starting the system")
    async with AsyncExitStack() as stack:
        undertone = await stack.enter_async_context(running(models, texts))
        progress.step("warming up")
        rate = await warm_up(undertone, WARM_UP_POSTS)
        if rate * seconds > 4 * WARM_UP_POSTS:
            # A short run begins before it has got going.
            rate = (await drain(undertone, int(rate * seconds / 4), "warmer"))["posts_per_s"]
        fewest = QUICK_FEWEST_POSTS if options.quick else FEWEST_POSTS
        count = min(MOST_POSTS, options.count or int(max(fewest, rate * seconds)))
        analyzer = await stack.enter_async_context(open_analyzer(undertone.inference_settings))
        await analyse(analyzer, texts[:WARM_UP_POSTS])
        runs: list[dict[str, Any]] = []
        usual_runs: list[dict[str, float]] = []

        async def ours() -> float:
            runs.append(await drain(undertone, count, f"{models.size}-{len(runs)}"))
            return float(runs[-1]["posts_per_s"])

        async def alone() -> float:
            asked = [texts[i % len(texts)] for i in range(count)]
            return count / (await analyse(analyzer, asked, ALONE_TEXTS_A_CALL, ALONE_AT_ONCE))[0]

        alternatives: dict[str, Callable[[], Awaitable[float]]] = {OURS: ours, ALONE: alone}
        if models.checkpoints and models.size == "full":
            usual = await stack.enter_async_context(usual_design(undertone, models, texts))
            few = QUICK_USUAL_POSTS if options.quick else USUAL_POSTS

            async def theirs() -> float:
                usual_runs.append(usual.drain(few, f"usual-{len(usual_runs)}"))
                return usual_runs[-1]["posts_per_s"]

            alternatives[USUAL] = theirs
        rates: dict[str, list[float]] = {name: [] for name in alternatives}
        for number in range(rounds):
            progress.step(f"round {number + 1} of {rounds}, {count:,} posts")
            for name, run in alternatives.items():
                rates[name].append(await run())
        progress.done()
        return {
            "posts_per_s": {name: summary(values) for name, values in rates.items()},
            "ratio": {name: ratio(rates[OURS], values) for name, values in rates.items() if name != OURS},
            "runs": runs,
            "usual_runs": usual_runs,
            "errors": _errors(undertone),
        }


def _errors(undertone: Undertone) -> list[str]:
    """What the system complained about meanwhile: figures of a run that went wrong are worth nothing."""
    return [line for line in undertone.system.output.splitlines() if "error" in line.lower()][:20]
