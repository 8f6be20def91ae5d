"""Workers are replaced one after the other under load, and nobody notices: no post waits for another worker, none is
stored twice."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from services.common.settings import Settings
from services.common.streams import ensure_group, open_redis
from tests.integration.test_worker import nothing_is_open, publish, stored
from tests.ports import free_port
from tests.posts import make_posts
from tests.processes import Service, service
from tests.waiting import eventually

pytestmark = pytest.mark.long

ROUNDS = 2
POSTS_AT_ONCE = 12
PAUSE_S = 0.5
# What a worker has in hand is two of these; also a busy machine finishes them within DRAIN_TIMEOUT_S.
BATCH_POSTS = 4
# What a worker left pending when it ended would stay pending to the end of the test: nobody takes it over.
NEVER_IDLE_MS = 3_600_000


class Load:
    """Posts at a steady rate, each published once."""

    def __init__(self, redis: Redis, stream: str) -> None:
        self.posts = 0
        self._redis = redis
        self._stream = stream
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        seed = 0
        while not self._stopping.is_set():
            await publish(self._redis, self._stream, make_posts(POSTS_AT_ONCE, seed=seed))
            self.posts += POSTS_AT_ONCE
            seed += 1
            await asyncio.sleep(PAUSE_S)

    def stop(self) -> None:
        self._stopping.set()


class Workers:
    """Worker processes, each with a port for its metrics."""

    def __init__(self, redis: Redis, settings: Settings, folder: Path) -> None:
        self._redis = redis
        self._settings = settings
        self._folder = folder

    async def start(self, stack: AsyncExitStack) -> tuple[Service, int]:
        port = free_port()
        settings = self._settings.model_copy(update={"worker_metrics_port": port})
        worker = await stack.enter_async_context(service("worker", settings, self._folder))
        await eventually(partial(self.pending, worker), "it has posts in hand", 60)
        return worker, port

    async def consumers(self) -> list[dict[str, Any]]:
        answer: Any = await self._redis.xinfo_consumers(
            self._settings.redis_stream_name, self._settings.redis_consumer_group
        )
        return list(answer)

    async def pending(self, worker: Service) -> int:
        """How many posts this very process has read and not acknowledged."""
        of_it = f"-{worker.process.pid}-".encode()
        return sum(each["pending"] for each in await self.consumers() if of_it in each["name"])


async def redelivered(port: int) -> float:
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"http://127.0.0.1:{port}/metrics", timeout=20)).text
    name = "undertone_worker_posts_redelivered_total "
    return float(next(line for line in text.splitlines() if line.startswith(name)).removeprefix(name))


@pytest.mark.timeout(300)  # six starts of a worker, one after the other
async def test_workers_restarted_in_turn_under_load_hand_out_no_post_twice(
    triton_settings: Settings, tmp_path: Path
) -> None:
    """Each is told to stop while it has posts in hand; it finishes them and takes its name out of the group."""
    settings = triton_settings.model_copy(
        update={
            "worker_claim_idle_ms": NEVER_IDLE_MS,
            "worker_batch_size": BATCH_POSTS,
            "worker_batches_in_flight": 1,
        }
    )
    async with open_redis(settings.redis_dsn) as redis, AsyncExitStack() as stack:
        await ensure_group(redis, settings.redis_stream_name, settings.redis_consumer_group)
        load, workers = Load(redis, settings.redis_stream_name), Workers(redis, settings, tmp_path)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run())
            running = [await workers.start(stack) for _ in range(2)]
            for _ in range(ROUNDS):
                for place, (worker, port) in enumerate(running):
                    await eventually(partial(workers.pending, worker), "it has posts in hand")
                    assert await redelivered(port) == 0
                    assert await worker.stop() == 0, worker.output
                    assert await workers.pending(worker) == 0, worker.output
                    assert len(await workers.consumers()) == 1, worker.output
                    running[place] = await workers.start(stack)
            load.stop()
        await eventually(lambda: nothing_is_open(redis, settings), "everything acknowledged", 120)
        for worker, port in running:
            assert await redelivered(port) == 0
            assert await worker.stop() == 0, worker.output
        assert await workers.consumers() == []
    assert await stored(settings.database_dsn) == load.posts
