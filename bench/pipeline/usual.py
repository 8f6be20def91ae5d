"""The usual design on the same Redis, PostgreSQL, API and browser, with a stream and a database of its own."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from bench.models import ModelSet
from bench.paths import RIVALS_PYTHON, WORK
from bench.rival import Rival, started
from bench.undertone import Undertone
from bench.usage import cpu_s
from services.common.streams import RESULTS_CHANNEL

STREAM = "usual_posts_stream"
DATABASE = "usual"


@dataclass(frozen=True)
class UsualDesign:
    worker: Rival
    feed: Rival

    def drain(self, count: int, prefix: str) -> dict[str, float]:
        """As `bench.pipeline.drain`: the stream is filled before the worker is told to read it."""
        self.feed.ask(do="fill", count=count, prefix=prefix)
        before = cpu_s(self.worker.pid)
        seconds = float(self.worker.ask(do="consume", count=count)["seconds"])
        cpu_ms = (cpu_s(self.worker.pid) - before) * 1_000 / count
        return {"count": count, "seconds": seconds, "posts_per_s": count / seconds, "cpu_ms_per_post": cpu_ms}


@asynccontextmanager
async def usual_design(undertone: Undertone, models: ModelSet, texts: list[str]) -> AsyncIterator[UsualDesign]:
    admin = await asyncpg.connect(undertone.database_url)
    await admin.execute(f"CREATE DATABASE {DATABASE}")
    await admin.close()
    options = {
        "redis": undertone.redis_url,
        "stream": STREAM,
        "group": "usual_workers",
        "channel": RESULTS_CHANNEL,
        "database": f"{undertone.database_url.rpartition('/')[0]}/{DATABASE}",
        "sentiment": str(models.checkpoint("sentiment")),
        "emotion": str(models.checkpoint("emotion")),
    }
    log = WORK / "usual.log"
    with (
        started(RIVALS_PYTHON, "bench.rivals.usual_design", [json.dumps(options)], log=log) as worker,
        started(sys.executable, "bench.feed", [undertone.redis_url, STREAM], log=log) as feed,
    ):
        feed.ask(do="texts", texts=texts)
        usual = UsualDesign(worker, feed)
        usual.drain(2, "warm")
        yield usual
