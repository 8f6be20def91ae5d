"""`python -m tests.chaos.outage`: an hour without Triton while posts keep coming; then everything is caught up.

Time may be scaled: with --scale 60 the posts of the hour come within a minute. What is asked: no post is lost, and the
worker's memory stays flat while everything waits in the stream.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import prometheus
from bench.options import positive
from bench.posts import generated
from bench.progress import Progress
from bench.report import table
from bench.servers import scratch_folder
from services.common.streams import GroupState, group_state
from tests.chaos.proxy import Proxy
from tests.chaos.report import fill, source
from tests.chaos.run import small_models
from tests.chaos.scene import GROUP, STREAM, open_direct_redis
from tests.chaos.stack import PROXIES
from tests.conftest import ROOT
from tests.ports import free_ports
from tests.rows import assert_rollups_are_a_recount
from tests.system import PORTS, System, system

DOCUMENT = ROOT / "docs" / "reliability.md"
EXAMPLES = """examples:
  python -m tests.chaos.outage                 the posts of an hour within a minute
  python -m tests.chaos.outage --scale 1       a real hour
  python -m tests.chaos.outage --document      writes its figures into docs/reliability.md
"""
OUTAGE_S, RATE_PER_S = 3_600, 50
# Before the outage, so that whatever grows while a process gets going has grown.
WARM_UP_POSTS = 5_000
SAMPLE_S = 1.0
# Means over so many samples at each end: single ones wobble.
WINDOW = 10
CATCH_UP_TIMEOUT_S = 3_600.0


@dataclass(frozen=True)
class Outage:
    """Memory in MB: of the worker before, at most while Triton was away, at the end of that, and when all was done."""

    scale: int
    posts: int
    stored: int
    seconds: float
    waiting: int
    catch_up_s: float
    before_mb: float
    highest_mb: float
    at_the_end_mb: float
    caught_up_mb: float
    dead_letters: int
    was_ready: bool

    @property
    def growth(self) -> float:
        return self.at_the_end_mb / self.before_mb - 1

    def table(self) -> str:
        headers = [
            "Triton away, s",
            "posts meanwhile",
            "waiting at the end",
            "lost",
            "dead letters",
            "caught up within, s",
        ]
        headers += ["worker before, MB", "at most, MB", "at the end, MB", "growth, %", "caught up, MB"]
        waited = self.posts - WARM_UP_POSTS
        row = [round(self.seconds), waited, self.waiting, self.posts - self.stored, self.dead_letters, self.catch_up_s]
        row += [self.before_mb, self.highest_mb, self.at_the_end_mb, 100 * self.growth, self.caught_up_mb]
        return table(headers, [row])


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.outage",
        description="An hour without Triton at 50 posts a second, and how all of it is caught up.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--scale", type=positive, default=60, metavar="N", help="time runs so much faster; default: 60")
    parser.add_argument("--document", action="store_true", help="write docs/reliability.md")
    options = parser.parse_args()
    with scratch_folder("outage") as folder:
        outage = asyncio.run(run(options.scale, folder))
    print(outage.table())
    assert outage.stored == outage.posts, f"{outage.posts - outage.stored:,} posts are lost"
    assert not outage.dead_letters, f"{outage.dead_letters} posts were refused that only had to wait"
    assert not outage.was_ready, "the worker said that it was ready while Triton was away"
    if options.document:
        command = " ".join(["make outage", f'ARGS="--scale {options.scale}"' if options.scale != 60 else ""]).strip()
        part = f"{outage.table()}\n\n{source(command)}"
        DOCUMENT.write_text(fill(DOCUMENT.read_text(), {"outage": part}))
    return 0


async def run(scale: int, folder: Path) -> Outage:
    posts = WARM_UP_POSTS + OUTAGE_S * RATE_PER_S
    file = folder / "posts.jsonl"
    write_posts(file, posts)
    rate = scale * RATE_PER_S
    progress = Progress("outage", 100)
    progress.note("starting the system")
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(Proxy.before(0))
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        proxy.target = ports["LOCAL_TRITON_GRPC_PORT"]
        settings = {name: str(port) for name, port in ports.items()} | {
            PROXIES: json.dumps({proxy.target: proxy.port}),
            "MODEL_REPOSITORY": str(small_models(folder / "models")),
            "CPU_RUNTIME": "onnxruntime",
            # All of it waits in the stream; at the usual limit the ingester would.
            "MAX_STREAM_LAG": str(2 * posts),
        }
        arguments = ["--source", "replay", "--file", str(file), "--rate", str(60 * rate)]
        running = await stack.enter_async_context(system(folder / "local", arguments, settings, "tests.chaos.stack"))
        redis = await stack.enter_async_context(open_direct_redis(running))

        async def state() -> GroupState:
            return await group_state(redis, STREAM, GROUP)

        while await stored(running) < WARM_UP_POSTS:
            await asyncio.sleep(0.1)
        before_mb = worker_mb(running)
        began = time.monotonic()
        samples: list[float] = []
        with proxy.cut():
            # The ingester leaves a mark when everything is published.
            while (passed := time.monotonic() - began) < OUTAGE_S / scale or not file.with_suffix(
                ".published"
            ).exists():
                await asyncio.sleep(SAMPLE_S)
                samples.append(worker_mb(running))
                progress.percent(passed * scale / OUTAGE_S, f"{(await state()).lag:,} posts wait")
            worker = f"http://127.0.0.1:{ports['WORKER_METRICS_PORT']}/metrics"
            was_ready = prometheus.total(await asyncio.to_thread(prometheus.read, worker), "undertone_worker_ready") > 0
            seconds, at_the_end = time.monotonic() - began, await state()
        healed = time.monotonic()
        while (now := await stored(running)) < posts and time.monotonic() - healed < CATCH_UP_TIMEOUT_S:
            progress.percent(now / posts, "catching up")
            await asyncio.sleep(SAMPLE_S)
        catch_up_s = time.monotonic() - healed
        while (await state()).pending:
            await asyncio.sleep(0.1)
        progress.done()
        database = await running.connect()
        try:
            await assert_rollups_are_a_recount(database)
        finally:
            await database.close()
        return Outage(
            scale,
            posts,
            await stored(running),
            seconds,
            at_the_end.lag + at_the_end.pending,
            catch_up_s,
            before_mb,
            max(samples),
            statistics.mean(samples[-WINDOW:]),
            worker_mb(running),
            int(await redis.xlen(f"{STREAM}:dead")),
            was_ready,
        )


def write_posts(file: Path, count: int) -> None:
    with file.open("w") as out:
        for number, text in zip(range(count), generated(1), strict=False):
            post = {"post_id": str(number), "source": "outage", "content": f"{text} {number}", "author": "somebody"}
            out.write(json.dumps(post | {"created_at": "2026-01-01T00:00:00Z"}) + "\n")


async def stored(running: System) -> int:
    (row,) = await running.query("SELECT coalesce(sum(posts), 0)::bigint AS n FROM sentiment_minutes")
    return int(row["n"])


def worker_mb(running: System) -> float:
    pid = running.pid_of("worker")
    return psutil.Process(pid).memory_info().rss / 1e6 if pid else 0.0


if __name__ == "__main__":
    sys.exit(main())
