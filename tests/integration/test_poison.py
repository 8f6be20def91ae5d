"""A post that breaks what handles it is found and buried with the reason; the posts beside it are stored."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from export.repository import Repository
from services.common.messages import Post
from services.common.settings import Settings
from services.common.streams import dead_letter_stream, group_state, open_redis
from services.worker.consumer import MAX_DELIVERIES
from tests.integration.dying_worker import DEADLY
from tests.integration.exported import WORDS, publish
from tests.integration.test_worker import publish as add
from tests.integration.test_worker import stored_if_there
from tests.integration.triton_server import running_triton
from tests.processes import service
from tests.redis_reads import entries
from tests.rows import assert_rollups_are_a_recount
from tests.waiting import eventually

BREAKING = "breaking"
POISONED = (17, 150, 151)


def posts_with(poison: str) -> list[Post]:
    return [
        Post(
            post_id=str(number),
            source="test",
            content=f"{WORDS[number]} {poison if number in POISONED else 'fine'}",
            author="",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for number in range(200)
    ]


async def all_is_done(client: Redis, settings: Settings) -> bool:
    state = await group_state(client, settings.redis_stream_name, settings.redis_consumer_group)
    return state.lag == 0 and state.pending == 0 and await stored_if_there(settings) > 0


async def assert_only_the_poisoned_are_buried(client: Redis, settings: Settings, reason: bytes) -> dict[bytes, bytes]:
    """The first letter."""
    connection = await asyncpg.connect(settings.database_dsn)
    try:
        ids = [int(row[0]) for row in await connection.fetch("SELECT post_id FROM social_media_posts")]
        await assert_rollups_are_a_recount(connection)
    finally:
        await connection.close()
    assert sorted(ids) == [number for number in range(200) if number not in POISONED]
    letters = await entries(client, dead_letter_stream(settings.redis_stream_name))
    assert sorted(int(letter[b"post_id"]) for letter in letters) == [*POISONED]
    assert {letter[b"reason"] for letter in letters} == {reason}
    return letters[0]


@pytest.fixture
def breaking_triton(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A Triton whose sentiment model fails whenever the word BREAKING is in the batch, and its repository."""
    repository = Repository(tmp_path / "models")
    publish(repository, "sentiment", ("negative", "neutral", "positive"), breaking=[BREAKING])
    publish(repository, "emotion", ("joy", "anger"))
    (tmp_path / "work").mkdir()
    with running_triton(tmp_path / "work", repository.folder) as running:
        yield f"127.0.0.1:{running.grpc_port}", repository.folder


@pytest.mark.timeout(240)
async def test_posts_that_break_a_model_are_buried_and_their_neighbours_stored(
    settings: Settings, breaking_triton: tuple[str, Path], tmp_path: Path
) -> None:
    url, repository = breaking_triton
    settings = settings.model_copy(update={"triton_url": url, "model_repository": repository})
    async with open_redis(settings.redis_dsn) as client:
        await add(client, settings.redis_stream_name, posts_with(BREAKING))
        async with service("worker", settings, tmp_path) as worker:
            await eventually(lambda: all_is_done(client, settings), "everything is done", 200)
            assert await worker.stop() == 0, worker.output
        letter = await assert_only_the_poisoned_are_buried(client, settings, b"breaks_model")
        assert b"sentiment" in letter[b"error"]


@pytest.mark.timeout(240)
async def test_posts_that_kill_every_worker_are_buried_and_their_neighbours_stored(
    small_triton_settings: Settings, tmp_path: Path
) -> None:
    settings = small_triton_settings.model_copy(update={"worker_claim_idle_ms": 200})
    deaths = 0
    async with open_redis(settings.redis_dsn) as client:
        await add(client, settings.redis_stream_name, posts_with(DEADLY))
        while not await all_is_done(client, settings):
            async with service("worker", settings, tmp_path, module="tests.integration.dying_worker") as worker:

                async def it_died_or_all_is_done() -> bool:
                    return worker.process.returncode is not None or await all_is_done(client, settings)

                await eventually(it_died_or_all_is_done, "it dies, or everything is done", 60)
                deaths += worker.process.returncode is not None
                await asyncio.sleep(settings.worker_claim_idle_ms / 1_000)
        letter = await assert_only_the_poisoned_are_buried(client, settings, b"never_acknowledged")
    assert letter[b"deliveries"] == str(MAX_DELIVERIES).encode()
    # Each kills three workers in company, at most, and three alone.
    assert deaths <= 3 * MAX_DELIVERIES
