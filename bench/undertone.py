"""The whole system as `make run` starts it, with the models of a measurement, a feeder and a browser of their own."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
from redis.asyncio import Redis

from bench import prometheus
from bench.models import ModelSet
from bench.paths import WORK
from bench.rival import Rival, started
from bench.servers import scratch_folder
from services.common.settings import Settings
from services.common.streams import GroupState, group_state
from tests.system import System, system

STREAM, GROUP = "social_posts_stream", "sentiment_workers"
PARTS = ("worker", "api", "triton", "redis", "postgres")
POLL_S = 0.02
# An answer that has not come by then never will.
DRAIN_TIMEOUT_S = 900.0
FRAMES_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Undertone:
    system: System
    redis: Redis
    redis_url: str
    models: ModelSet
    feed: Rival
    browser: Rival

    @property
    def database_url(self) -> str:
        password = json.loads((self.system.local_dir / "secrets.json").read_text())["postgres"]
        return f"postgresql://undertone:{password}@127.0.0.1:{self.system.ports['LOCAL_POSTGRES_PORT']}/undertone"

    @property
    def inference_settings(self) -> Settings:
        """For an analyzer of the measurement's own on this system's Triton."""
        url = f"127.0.0.1:{self.system.ports['LOCAL_TRITON_GRPC_PORT']}"
        return Settings(_env_file=None, triton_url=url, model_repository=self.models.repository)

    def pids(self) -> dict[str, list[int]]:
        """The processes of the system, and the measurement's own that take part."""
        found = {name: self.system.pids_of(name) for name in PARTS}
        own = {"feeder": [self.feed.pid], "browser": [self.browser.pid]}
        return {name: pids for name, pids in found.items() if pids} | own

    def worker_metrics(self) -> prometheus.Samples:
        return prometheus.read(f"http://127.0.0.1:{self.system.ports['WORKER_METRICS_PORT']}/metrics")

    def api_metrics(self) -> prometheus.Samples:
        return prometheus.read(f"{self.system.url}/metrics")

    @contextmanager
    def worker_held(self) -> Iterator[None]:
        """The workers stand still: what is added meanwhile costs them nothing, and waits."""
        workers = [psutil.Process(pid) for pid in self.system.pids_of("worker")]
        assert workers, self.system.output[-2_000:]
        for worker in workers:
            worker.suspend()
        try:
            yield
        finally:
            for worker in workers:
                worker.resume()

    async def state(self) -> GroupState:
        return await group_state(self.redis, STREAM, GROUP)

    async def drained(self) -> float:
        """The monotonic time at which everything in the stream was acknowledged; TimeoutError if it never is."""
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            while True:
                state = await self.state()
                if state.lag == 0 and state.pending == 0:
                    return time.monotonic()
                await asyncio.sleep(POLL_S)

    async def frames_arrived(self, posts: int, dropped_before: float) -> dict[str, Any]:
        """The browser's counts once it has `posts` posts, counting those that the API dropped; else what it has."""
        until = time.monotonic() + FRAMES_TIMEOUT_S
        while True:
            counts = self.browser.ask(do="count")
            dropped = self.dropped() - dropped_before
            if counts["posts"] + dropped >= posts or time.monotonic() > until:
                return {**counts, "dropped": dropped}
            await asyncio.sleep(POLL_S)

    def dropped(self) -> float:
        return prometheus.total(self.api_metrics(), "undertone_websocket_frames_dropped_total")


@asynccontextmanager
async def running(
    models: ModelSet, texts: list[str], settings: Mapping[str, str] | None = None, *, workers: int = 1
) -> AsyncIterator[Undertone]:
    """Everything is up, nothing has been read yet; afterwards no process and no data are left."""
    with scratch_folder("run") as folder:
        own = {
            "MODEL_REPOSITORY": str(models.repository),
            "LOG_LEVEL": "WARNING",
            "FEED_POSTS_PER_S": "0",  # every frame is counted
            "FEED_FRAMES_PER_S": "0",
            **(settings or {}),
        }
        async with system(folder / "local", ["--no-ingester", "--workers", str(workers)], own) as started_system:
            secrets = json.loads((started_system.local_dir / "secrets.json").read_text())
            url = f"redis://:{secrets['redis']}@127.0.0.1:{started_system.ports['LOCAL_REDIS_PORT']}/0"
            socket = f"ws://127.0.0.1:{started_system.ports['API_PORT']}/ws/sentiment"
            log = WORK / "processes.log"
            with (
                started(sys.executable, "bench.feed", [url, STREAM], log=log) as feed,
                started(sys.executable, "bench.listener", [socket], log=log) as browser,
            ):
                feed.ask(do="texts", texts=texts)
                browser.ask(do="count")
                async with Redis.from_url(url) as redis:
                    yield Undertone(started_system, redis, url, models, feed, browser)
