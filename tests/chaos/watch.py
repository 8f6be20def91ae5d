"""What is seen while faults strike: how soon posts are stored again, what passed the stream, and memory."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
import psutil

from bench import prometheus
from tests.chaos.producer import LIVE
from tests.chaos.scene import DATABASE_ERRORS, REDIS_ERRORS, STREAM, Scene
from tests.chaos.schedule import Fault

POLL_S = 0.2
SAMPLE_S = 1.0
ENTRIES_PER_READ = 2_000
WATCHED = ("worker-1", "worker-2", "api")
WORKERS = ("worker-1", "worker-2")
METRICS_TIMEOUT_S = 2.0
# Transactions become visible in another order than they began in, by less than this.
OVERLAP_MS = 5_000


@dataclass
class Blow:
    """A fault that struck. `healed_s`: from then until a post was stored that came after it; None: it was not seen."""

    fault: Fault
    struck_at: datetime
    healed_s: float | None = None


@dataclass
class Watch:
    scene: Scene
    blows: list[Blow] = field(default_factory=list)
    missed: list[Fault] = field(default_factory=list)
    # Where each post was in the stream; the first time.
    seen: dict[str, str] = field(default_factory=dict)
    entries: int = 0
    different: set[int] = field(default_factory=set)
    peak_mb: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    redelivered: float = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work()) for work in (self._stored, self._passing, self._samples)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def struck(self, fault: Fault) -> None:
        self.blows.append(Blow(fault, datetime.now(UTC)))

    async def _stored(self) -> None:
        """The newest post of the producer that is stored, again and again."""
        last_id = 0
        while True:
            try:
                async with self._connected() as connection:
                    while True:
                        row = await connection.fetchrow(
                            "SELECT max(id) AS id, max(created_at) FILTER (WHERE source = $2) AS made_at"
                            " FROM social_media_posts WHERE id > $1",
                            max(0, last_id - (OVERLAP_MS << 20)),
                            LIVE,
                        )
                        if row and row["id"]:
                            last_id = max(last_id, row["id"])
                            self._heal(row["made_at"])
                        await asyncio.sleep(POLL_S)
            except DATABASE_ERRORS:
                await asyncio.sleep(POLL_S)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await self.scene.connect()
        try:
            yield connection
        finally:
            connection.terminate()

    def _heal(self, made_at: datetime | None) -> None:
        now = datetime.now(UTC)
        for blow in self.blows:
            if blow.healed_s is None and made_at is not None and made_at > blow.struck_at:
                blow.healed_s = (now - blow.struck_at).total_seconds()

    async def _passing(self) -> None:
        """Whatever is added to the stream: workers remove what they have processed."""
        last = b"0-0"
        while True:
            answer: Any = ()
            with suppress(*REDIS_ERRORS):
                answer = await self.scene.redis.xrange(STREAM, min=b"(" + last, count=ENTRIES_PER_READ)
            for entry, fields in answer:
                last = entry
                self.entries += 1
                self.different.add(hash(frozenset(fields.items())))
                self.seen.setdefault(fields.get(b"post_id", b"").decode("utf-8", "replace"), entry.decode())
            if len(answer) < ENTRIES_PER_READ:
                await asyncio.sleep(POLL_S)

    async def _samples(self) -> None:
        before: dict[str, float] = {}
        while True:
            for name in WATCHED:
                with suppress(psutil.NoSuchProcess):
                    if process := self.scene.find(name):
                        self.peak_mb[name] = max(self.peak_mb[name], process.memory_info().rss / 1e6)
            for name in WORKERS:
                with suppress(OSError, ValueError):  # it is away, or stands still
                    url = f"http://127.0.0.1:{self.scene.metrics_port(name)}/metrics"
                    samples = await asyncio.to_thread(prometheus.read, url, METRICS_TIMEOUT_S)
                    count = prometheus.total(samples, "undertone_worker_posts_redelivered_total")
                    # A worker that was started again counts from zero.
                    self.redelivered += count - before.get(name, 0.0) if count >= before.get(name, 0.0) else count
                    before[name] = count
            await asyncio.sleep(SAMPLE_S)
