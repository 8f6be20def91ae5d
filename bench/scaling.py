"""How throughput grows with workers and with Tritons: `python -m bench.scaling [--seconds 15]`.

Real workers, Redis, PostgreSQL and Tritons on one machine, with models that sleep instead of computing: each instance
takes half a second for a request and no processor. So the processors of this machine are not the limit, and what is
seen is whether the parts get into each other's way: the sharing of the stream, of the servers, of the database.
"""

import argparse
import asyncio
import os
import signal
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.report import table
from bench.servers import scratch_folder
from services.common.migrations.apply import migrate
from services.common.settings import Settings
from services.common.streams import group_state, open_redis
from tests.conftest import make_settings
from tests.embedded import running_postgres, running_redis
from tests.integration.fixed_latency import make_repository
from tests.integration.test_worker import publish
from tests.integration.triton_server import child_of, started
from tests.ports import free_ports
from tests.posts import make_posts
from tests.processes import service
from tests.waiting import eventually

LATENCY_S = 0.5
POSTS_A_REQUEST = 16
# What one instance answers.
POSTS_PER_S = POSTS_A_REQUEST / LATENCY_S
# A Triton of the first series has room for all workers, those of the second have less together than the workers ask.
WORKERS, ROOMY_INSTANCES = (1, 2, 5, 10), 10
TRITONS, INSTANCES = (1, 2, 4), 2
START_TIMEOUT_S, DRAIN_TIMEOUT_S = 120.0, 600.0


@dataclass(frozen=True)
class Run:
    posts_per_s: float
    busy_cores: float


async def run(settings: Settings, folder: Path, workers: int, expected_per_s: float, seconds: float) -> Run:
    """So many workers, each started and idle before the first post comes, until every post is acknowledged."""
    posts = make_posts(int(expected_per_s * seconds) + 2 * workers * POSTS_A_REQUEST, prefix=settings.redis_stream_name)
    async with open_redis(settings.redis_dsn) as client, AsyncExitStack() as stack:

        async def consumers() -> int:
            return (await group_state(client, settings.redis_stream_name, settings.redis_consumer_group)).consumers

        async def all_read() -> bool:
            return await consumers() == workers

        async def all_is_done() -> bool:
            state = await group_state(client, settings.redis_stream_name, settings.redis_consumer_group)
            return state.lag == 0 and state.pending == 0

        await asyncio.gather(*(stack.enter_async_context(service("worker", settings, folder)) for _ in range(workers)))
        await eventually(all_read, "every worker reads", START_TIMEOUT_S)
        # The first batch of each waits for its models.
        await publish(client, settings.redis_stream_name, posts[: 2 * workers * POSTS_A_REQUEST])
        await eventually(all_is_done, "every worker has worked", START_TIMEOUT_S)
        posts = posts[2 * workers * POSTS_A_REQUEST :]
        busy_before, began = psutil.cpu_times(), time.perf_counter()
        await publish(client, settings.redis_stream_name, posts)
        await eventually(all_is_done, "everything is stored", DRAIN_TIMEOUT_S)
        took, busy = time.perf_counter() - began, psutil.cpu_times()
    cores = (busy.user + busy.system - busy_before.user - busy_before.system) / took
    return Run(len(posts) / took, cores)


async def series(folder: Path, tritons: int, instances: int, workers: Sequence[int], seconds: float) -> list[Run]:
    """A run for each number of workers, on so many servers."""
    repository = make_repository(folder / "models", latency_s=LATENCY_S, instances=instances).folder
    runs = []
    with ExitStack() as stack:
        dsn = stack.enter_context(running_postgres(folder))
        redis = stack.enter_context(running_redis(folder, appendfsync="everysec"))
        urls = []
        for number in range(tritons):
            ports, work = free_ports(2), folder / f"triton-{number}"
            work.mkdir()
            await asyncio.to_thread(stack.enter_context, started(child_of(work, repository, ports)))
            urls.append(f"127.0.0.1:{ports[0]}")
        await migrate(dsn)
        for count in workers:
            settings = make_settings(dsn, redis, f"scaling_{count}", ",".join(urls)).model_copy(
                update={
                    "model_repository": repository,
                    "worker_batch_size": POSTS_A_REQUEST,
                    "worker_batches_in_flight": 1,
                    "worker_upkeep": False,
                    "worker_claim_idle_ms": 60_000,
                    "log_level": "WARNING",
                }
            )
            (logs := folder / f"workers-{count}").mkdir()
            expected_per_s = POSTS_PER_S * min(count, tritons * instances)
            runs.append(await run(settings, logs, count, expected_per_s, seconds))
            print(f"{count} workers, {tritons} Tritons: {runs[-1].posts_per_s:.0f} posts/s", flush=True)
    return runs


def rows(counts: Sequence[int], runs: Sequence[Run]) -> list[list[object]]:
    first = runs[0].posts_per_s
    return [
        [count, each.posts_per_s, each.posts_per_s / first, each.busy_cores]
        for count, each in zip(counts, runs, strict=True)
    ]


def main() -> None:
    # What runs is stopped and put away, as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description="From one to many.")
    parser.add_argument("--seconds", type=float, default=15.0, metavar="N", help="of each run; default: %(default)s")
    seconds = parser.parse_args().seconds
    with scratch_folder("scaling") as folder:
        by_workers = asyncio.run(series(folder, 1, ROOMY_INSTANCES, WORKERS, seconds))
    by_tritons = []
    for tritons in TRITONS:
        with scratch_folder("scaling") as folder:
            by_tritons += asyncio.run(series(folder, tritons, INSTANCES, WORKERS[-1:], seconds))
    columns = ["posts/s", "times the first", f"busy of {os.cpu_count()} cores"]
    print(table(["workers", *columns], rows(WORKERS, by_workers)))
    print(table(["Tritons", *columns], rows(TRITONS, by_tritons)))


if __name__ == "__main__":
    main()
