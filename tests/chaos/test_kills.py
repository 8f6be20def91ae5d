"""Whatever process is killed while a file is replayed, every post of it arrives, and once."""

from functools import partial
from pathlib import Path

import asyncpg
import pytest

from tests.e2e.test_dashboard import write_posts
from tests.posts import make_posts
from tests.system import PROGRAMS, System, alive, system
from tests.waiting import eventually

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(420)]

POSTS = 3_000
# Slow enough that every kill falls into the middle of the work.
RATE = 4_500
# The ingester first: it must not have finished by then.
ORDER = ("ingester", *(name for name in PROGRAMS if name != "ingester"))
SETTINGS = {"WORKER_CLAIM_IDLE_MS": "3000", "WORKER_BATCH_SIZE": "64"}


async def count(running: System) -> int:
    try:
        rows = await running.query("SELECT count(*) AS n FROM social_media_posts")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):  # it is being killed
        return -1
    return int(rows[0]["n"])


async def grown(running: System, before: int) -> bool:
    return await count(running) > before


async def test_every_process_may_be_killed_and_no_post_is_lost_or_doubled(tmp_path: Path) -> None:
    posts = make_posts(POSTS, seed=5)
    file = write_posts(tmp_path / "posts.jsonl", posts)
    arguments = ["--source", "replay", "--file", str(file), "--rate", str(RATE)]
    async with system(tmp_path / "local", arguments, SETTINGS) as running:
        for name in ORDER:
            before = await count(running)
            assert before < POSTS, f"all posts were stored before {name} was killed; the test proves nothing"
            victim = running.kill(name)

            async def back(name: str = name, victim: int = victim) -> bool:
                return running.pid_of(name) not in (None, victim)

            await eventually(back, f"{name} is started again", 60)
            await eventually(partial(grown, running, before), f"posts are stored after {name} died", 90)

        async def complete() -> bool:
            return await count(running) == POSTS

        await eventually(complete, "every post is stored", 180)
        (row,) = await running.query(
            "SELECT count(*) AS posts, count(DISTINCT post_id) AS distinct_posts,"
            " (SELECT count(*) FROM sentiment_analysis) AS analyses,"
            " (SELECT count(DISTINCT post_id) FROM sentiment_analysis) AS analysed,"
            " (SELECT sum(posts)::bigint FROM sentiment_minutes) AS counted,"
            " (SELECT sum(posts)::bigint FROM emotion_minutes) AS counted_with_emotions FROM social_media_posts"
        )
        assert set(row.values()) == {POSTS}
        stored = {row["post_id"]: row["content"] for row in await running.query("SELECT * FROM social_media_posts")}
        assert stored == {post.post_id: post.content for post in posts}
        children = running.descendants()
        assert await running.stop() == 0
    assert not alive(children)


async def test_killing_the_supervisor_itself_leaves_no_process_and_the_next_run_goes_on(tmp_path: Path) -> None:
    posts = make_posts(600, seed=6)
    file = write_posts(tmp_path / "posts.jsonl", posts)
    arguments = ["--source", "replay", "--file", str(file), "--rate", "6000"]
    async with system(tmp_path / "local", arguments, SETTINGS) as first:
        await eventually(partial(grown, first, 50), "some posts are stored", 60)
        children = first.descendants()
        first.process.kill()
        await first.process.wait()

        async def gone() -> bool:
            return not alive(children)

        await eventually(gone, "every child has ended", 30)
    async with system(tmp_path / "local", arguments, SETTINGS) as second:

        async def complete() -> bool:
            return await count(second) == len(posts)

        await eventually(complete, "every post is stored", 90)
