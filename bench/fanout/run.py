"""A number of browsers after the other, without slow ones and with some; results are put on the channel directly.

First as fast as it goes: a burst that fits into every queue, and the next one when all have it. Then single posts at
random moments, half as many as that, for the latency.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from bench import prometheus
from bench.arrivals import poisson_times
from bench.models import model_set
from bench.options import Options
from bench.paths import WORK
from bench.progress import Progress
from bench.rival import Rival, started
from bench.rounds import quantiles
from bench.undertone import Undertone, running
from bench.usage import cpu_of, growth, memory_of
from services.common.messages import AnalysedPost, Analysis, Post, ResultsMessage, encode_message
from services.common.streams import RESULTS_CHANNEL

CLIENTS = (10, 100, 1_000)
QUICK_CLIENTS = (10, 100)
# One of so many browsers never reads.
SLOW_SHARE = 10
# Fits into a browser's queue of 256.
BURST_POSTS = 64
LOAD = 0.5
SETTLE_S = 1.0
BURST_TIMEOUT_S = 60.0
CONTENT = "The train was late again, and nobody told us why, so I missed the whole meeting."


def measure(options: Options) -> list[dict[str, Any]]:
    return asyncio.run(_measure(options))


async def _measure(options: Options) -> list[dict[str, Any]]:
    numbers = QUICK_CLIENTS if options.quick else CLIENTS
    seconds = options.seconds or (2.0 if options.quick else 15.0)
    settings = dict.fromkeys(("MAX_WEBSOCKET_CLIENTS", "API_WEBSOCKETS_PER_CLIENT"), str(2 * max(numbers)))
    progress = Progress("fan-out", 2 * len(numbers) + 1)
    progress.step("starting the system")
    found = []
    async with running(model_set("starter", print), ["a post"], settings) as undertone:
        for clients in numbers:
            for slow in (0, max(1, clients // SLOW_SHARE)):
                progress.step(f"{clients:,} browsers, {slow} of them never read")
                found.append(await _crowd(undertone, clients, slow, seconds))
    progress.done()
    return found


async def _crowd(undertone: Undertone, clients: int, slow: int, seconds: float) -> dict[str, Any]:
    reading = clients - slow
    address = ["127.0.0.1", str(undertone.system.ports["API_PORT"])]
    with ExitStack() as stack:
        crowd = stack.enter_context(started(sys.executable, "bench.fanout.crowd", address, log=WORK / "crowd.log"))
        pids = {**undertone.pids(), "browsers": [crowd.pid]}
        idle, closed = memory_of(pids), _closed(undertone)
        joined = await asyncio.to_thread(lambda: crowd.ask(do="join", clients=reading, slow=slow)["joined"])
        assert joined == reading, f"{joined} of {reading} browsers could connect"
        before = cpu_of(pids)
        began = time.monotonic()
        bursts = await _bursts(undertone.redis, crowd, seconds)
        took_s = time.monotonic() - began
        cpu = growth(before, cpu_of(pids), per=took_s)
        frames_per_s = bursts * BURST_POSTS * reading / took_s
        crowd.ask(do="latencies")
        dropped = undertone.dropped()
        times = poisson_times(max(1.0, LOAD * frames_per_s / reading), seconds, seed=clients)
        await _open_loop(undertone.redis, times)
        await asyncio.sleep(SETTLE_S)
        latencies = crowd.ask(do="latencies")["latencies"]
        memory = memory_of(pids)
        closed = _closed(undertone) - closed
        crowd.ask(do="leave")
    return {
        "clients": clients,
        "slow": slow,
        "frames_per_s": frames_per_s,
        "cpu_cores": {name: cpu[name] for name in ("api", "browsers", "redis")},
        "open_loop_frames_per_s": len(times) * reading / seconds,
        "latency_s": quantiles(latencies),
        "frames_missing": len(times) * reading - len(latencies),
        "frames_dropped": undertone.dropped() - dropped,
        "api_memory_mb": memory["api"],
        "api_memory_growth_mb": memory["api"] - idle["api"],
        "slow_closed": closed,
    }


def _closed(undertone: Undertone) -> float:
    """Browsers that the API has sent away because they did not read."""
    by_reason = prometheus.by_label(undertone.api_metrics(), "undertone_websocket_refused_total", "reason")
    return by_reason.get("slow", 0.0)


async def _bursts(redis: Redis, crowd: Rival, seconds: float) -> int:
    """How many bursts every reading browser has received within the time."""
    first = crowd.ask(do="posts")["least"]
    until, bursts = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        await redis.publish(RESULTS_CHANNEL, message(BURST_POSTS))
        bursts += 1
        async with asyncio.timeout(BURST_TIMEOUT_S):
            await _received(crowd, first + bursts * BURST_POSTS)
    return bursts


async def _received(crowd: Rival, posts: int) -> None:
    """Returns when every browser that reads has so many."""
    while crowd.ask(do="posts")["least"] < posts:  # noqa: ASYNC110 # it is another process
        await asyncio.sleep(0.001)


async def _open_loop(redis: Redis, times: Sequence[float]) -> None:
    began = time.monotonic() + 0.1
    publishing: set[asyncio.Task[None]] = set()

    async def publish() -> None:
        await redis.publish(RESULTS_CHANNEL, message(1))

    for at in times:
        await asyncio.sleep(max(0.0, began + at - time.monotonic()))
        task = asyncio.create_task(publish())
        publishing.add(task)
        task.add_done_callback(publishing.discard)
    await asyncio.gather(*publishing)


def message(count: int) -> bytes:
    """A batch of results as a worker announces it; the author of each post is the moment of its announcement."""
    now = datetime.now(UTC)
    analysis = Analysis(
        model_name="bench", sentiment_label="neutral", confidence=0.5, emotion="neutral", emotion_confidence=0.5
    )
    post = Post(post_id="bench", source="reddit", content=CONTENT, author=str(time.monotonic_ns()), created_at=now)
    analysed = AnalysedPost(post=post, analysis=analysis, analysed_at=now)
    return encode_message(ResultsMessage(posts=(analysed,) * count))
