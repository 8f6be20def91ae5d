"""The worker as a process, on real servers: every post once, whatever is among them and whoever dies."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import asyncpg
from redis.asyncio import Redis

from services.common.messages import Post, ResultsMessage, decode_message, encode_post
from services.common.settings import Settings
from services.common.streams import RESULTS_CHANNEL, dead_letter_stream, group_state, open_redis
from tests.posts import make_posts
from tests.processes import service
from tests.redis_reads import entries
from tests.waiting import eventually

BAD = {
    b"missing_field": {b"post_id": b"1", b"source": b"x", b"created_at": b"2026-01-01T00:00:00Z"},
    b"empty_field": {b"post_id": b"2", b"source": b"x", b"content": b"", b"created_at": b"2026-01-01T00:00:00Z"},
    b"too_long": {b"post_id": b"3", b"source": b"x", b"content": b"y" * 100_000, b"created_at": b"2026-01-01"},
    b"invalid_utf8": {b"post_id": b"4", b"source": b"x", b"content": b"\xff\xfe", b"created_at": b"2026-01-01"},
    b"invalid_timestamp": {b"post_id": b"5", b"source": b"x", b"content": b"ok", b"created_at": b"soon"},
}


async def publish(client: Redis, stream: str, posts: list[Post]) -> None:
    async with client.pipeline(transaction=False) as pipeline:
        for post in posts:
            fields: dict[Any, Any] = dict(encode_post(post))
            pipeline.xadd(stream, fields)
        await pipeline.execute()


async def stored(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(
            await connection.fetchval("SELECT count(*) FROM social_media_posts JOIN sentiment_analysis USING (post_id)")
        )
    finally:
        await connection.close()


async def models_named(dsn: str) -> set[tuple[str, int, str, int]]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "SELECT model_name, model_version, emotion_model_name, emotion_model_version FROM sentiment_analysis"
        )
    finally:
        await connection.close()
    return {tuple(row) for row in rows}


async def nothing_is_open(client: Redis, settings: Settings) -> bool:
    state = await group_state(client, settings.redis_stream_name, settings.redis_consumer_group)
    return state.lag == 0 and state.pending == 0


async def test_good_posts_are_stored_and_announced_and_bad_ones_buried(
    triton_settings: Settings, tmp_path: Path
) -> None:
    stream = triton_settings.redis_stream_name
    posts = make_posts(150)
    async with open_redis(triton_settings.redis_dsn) as client, client.pubsub() as listener:
        await listener.subscribe(RESULTS_CHANNEL)
        await publish(client, stream, posts[:75])
        for fields in BAD.values():
            record: dict[Any, Any] = dict(fields)
            await client.xadd(stream, record)
        await publish(client, stream, posts[75:])
        async with service("worker", triton_settings, tmp_path) as worker:
            await eventually(lambda: nothing_is_open(client, triton_settings), "everything acknowledged", 60)
            assert await worker.stop() == 0, worker.output

        assert await stored(triton_settings.database_dsn) == len(posts)
        assert await models_named(triton_settings.database_dsn) == {
            ("undertone-starter-sentiment", 1, "undertone-starter-emotion", 1)
        }
        dead = await entries(client, dead_letter_stream(stream))
        assert {fields[b"reason"] for fields in dead} == set(BAD)
        assert len(dead) == len(BAD)
        for fields in dead:
            original = BAD[fields[b"reason"]]
            assert {name: fields[name] for name in original} == original
            assert fields[b"error"]
            assert fields[b"stream_id"]
        announced: list[str] = []
        async with asyncio.timeout(20):
            while len(announced) < len(posts):
                message = await listener.get_message(ignore_subscribe_messages=True, timeout=1)
                results = decode_message(message["data"]) if message else ResultsMessage(posts=())
                assert isinstance(results, ResultsMessage)
                announced += [analysed.post.post_id for analysed in results.posts]
        assert sorted(announced) == sorted(post.post_id for post in posts)
        assert await client.xlen(stream) <= len(posts) + len(BAD)


async def test_posts_of_a_killed_worker_are_stored_once_by_another(
    small_triton_settings: Settings, database: asyncpg.Connection, tmp_path: Path
) -> None:
    settings = small_triton_settings.model_copy(update={"worker_batch_size": 16})
    posts = make_posts(400, seed=2)
    async with open_redis(settings.redis_dsn) as client:
        await publish(client, settings.redis_stream_name, posts)
        async with service("worker", settings, tmp_path) as first:
            # Somebody else is about to store a post of the middle: until that is decided, who stores it waits.
            transaction = database.transaction()
            await transaction.start()
            await database.execute(
                "INSERT INTO social_media_post_keys (post_id, id) VALUES ($1, next_id_at(now()))", posts[200].post_id
            )

            async def in_the_middle() -> bool:
                return await stored(settings.database_dsn) > 0

            await eventually(in_the_middle, "the first worker stores something", 60)
            await first.stop(signal.SIGKILL)
            before = await stored(settings.database_dsn)
            await transaction.rollback()
        async with service("worker", settings, tmp_path) as second:
            await eventually(lambda: nothing_is_open(client, settings), "everything acknowledged", 60)
            assert await second.stop() == 0
    assert 0 < before < len(posts)
    assert await stored(settings.database_dsn) == len(posts)


async def stored_if_there(settings: Settings) -> int:
    try:
        return await stored(settings.database_dsn)
    except asyncpg.UndefinedTableError:
        return 0


async def test_a_worker_waits_for_servers_that_are_away_and_stops_when_told(settings: Settings, tmp_path: Path) -> None:
    away = settings.model_copy(update={"database_url": "postgresql://u:p@127.0.0.1:1/d"})
    async with service("worker", away, tmp_path) as worker:

        async def told() -> bool:
            return worker.output.count("waiting for a dependency") >= 2

        await eventually(told, "it says what it waits for")
        assert "PostgreSQL is not reachable" in worker.output
        assert await worker.stop() == 0


async def test_models_that_do_not_fit_end_the_worker_with_a_sentence(triton_settings: Settings, tmp_path: Path) -> None:
    wrong = triton_settings.model_copy(update={"model_repository": tmp_path})
    async with service("worker", wrong, tmp_path) as worker:
        assert await asyncio.wait_for(worker.process.wait(), 30) == 2
        assert "MODEL_REPOSITORY" in worker.output
        assert "Traceback" not in worker.output
