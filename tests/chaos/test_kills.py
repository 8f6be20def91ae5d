"""Whoever keeps the processes running may be killed, too."""

from functools import partial
from pathlib import Path

import asyncpg
import pytest

from tests.chaos.run import small_models
from tests.e2e.test_dashboard import write_posts
from tests.posts import make_posts
from tests.system import System, alive, system
from tests.waiting import eventually

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(420)]

# What computes is nothing that kills depend on: what is quick to start.
SETTINGS = {"WORKER_CLAIM_IDLE_MS": "3000", "WORKER_BATCH_SIZE": "64", "CPU_RUNTIME": "onnxruntime"}


async def count(running: System) -> int:
    try:
        rows = await running.query("SELECT count(*) AS n FROM social_media_posts")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):  # it is being killed
        return -1
    return int(rows[0]["n"])


async def grown(running: System, before: int) -> bool:
    return await count(running) > before


async def test_killing_the_supervisor_itself_leaves_no_process_and_the_next_run_goes_on(tmp_path: Path) -> None:
    posts = make_posts(600, seed=6)
    file = write_posts(tmp_path / "posts.jsonl", posts)
    arguments = ["--source", "replay", "--file", str(file), "--rate", "6000"]
    settings = SETTINGS | {"MODEL_REPOSITORY": str(small_models(tmp_path / "models"))}
    async with system(tmp_path / "local", arguments, settings) as first:
        await eventually(partial(grown, first, 50), "some posts are stored", 60)
        children = first.descendants()
        first.process.kill()
        await first.process.wait()

        async def gone() -> bool:
            return not alive(children)

        await eventually(gone, "every child has ended", 30)
    async with system(tmp_path / "local", arguments, settings) as second:

        async def complete() -> bool:
            return await count(second) == len(posts)

        await eventually(complete, "every post is stored", 90)
