"""What the chaos suite reads from the servers: a wrong roll-up, a second alert, a letter that lies there twice."""

from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from services.common.dead_letters import DeadLetter, bury
from services.common.messages import encode_post
from services.common.streams import dead_letter_stream, ensure_group
from tests.chaos.compare import compare
from tests.chaos.evidence import gather
from tests.chaos.truth import Letter, Truth
from tests.posts import make_posts
from tests.rows import count_again, insert

GROUP = "workers"
BAD = {b"post_id": b"bad", b"content": b"", b"reason": b"a field that has the name of one of the letter's"}


@pytest.fixture
async def database(database_url: str) -> Any:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def redis(redis_url: str) -> Any:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


async def kinds(truth: Truth, database: asyncpg.Connection, redis: Redis, stream: str) -> list[str]:
    return [each.kind for each in compare(truth, await gather(database, redis, stream, GROUP, {}))]


@pytest.fixture
async def truth(database: asyncpg.Connection, redis: Redis, stream_name: str) -> Truth:
    """Of three stored posts and a dead letter, all as they must be."""
    truth = Truth(letters={Letter.of("empty_field", BAD)})
    posts = make_posts(3)
    truth.offer(posts)
    for post in posts:
        await insert(
            database,
            post.post_id,
            source=post.source,
            content=post.content,
            created_at=post.created_at,
            counted=False,
        )
        sql = "UPDATE social_media_posts SET author = $1 WHERE post_id = $2"
        await database.execute(sql, post.author, post.post_id)
    await count_again(database)
    await ensure_group(redis, stream_name, GROUP)
    await bury(redis, stream_name, [DeadLetter("", BAD, "empty_field", "content is empty")], GROUP)
    assert await kinds(truth, database, redis, stream_name) == []
    return truth


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE sentiment_minutes SET posts = posts + 1",
        "UPDATE emotion_minutes SET posts = posts - 1",
        "UPDATE sentiment_minutes SET confidence_sum = confidence_sum * 2",
        "DELETE FROM emotion_minutes",
        "INSERT INTO sentiment_hours SELECT minute, source, sentiment_label, posts, confidence_sum, created_from,"
        " created_to FROM sentiment_minutes",
    ],
)
async def test_a_roll_up_that_is_no_recount_is_found(
    truth: Truth, database: asyncpg.Connection, redis: Redis, stream_name: str, damage: str
) -> None:
    await database.execute(damage)
    assert await kinds(truth, database, redis, stream_name) == ["wrong database"]


@pytest.mark.parametrize(
    "damage",
    [
        "INSERT INTO social_media_post_keys (post_id, id) VALUES ('ghost', 1)",
        "DELETE FROM social_media_post_keys WHERE post_id = 'test-0-1'",
        "UPDATE sentiment_analysis SET post_row_id = post_row_id + 1 WHERE post_id = 'test-0-1'",
    ],
)
async def test_half_a_post_is_found(
    truth: Truth, database: asyncpg.Connection, redis: Redis, stream_name: str, damage: str
) -> None:
    await database.execute(damage)
    assert "wrong database" in await kinds(truth, database, redis, stream_name)


async def test_two_alerts_of_a_rule_at_the_same_time_are_found(
    truth: Truth, database: asyncpg.Connection, redis: Redis, stream_name: str
) -> None:
    for hours in (3, 2):
        await database.execute(
            """INSERT INTO sentiment_alerts (alert_type, threshold_value, actual_value, window_start, window_end,
                                             post_count, triggered_at, resolved_at)
               VALUES ('ratio', 0.5, 0.6, now(), now(), 10, now() - make_interval(hours => $1), now())""",
            hours,
        )
    assert await kinds(truth, database, redis, stream_name) == ["wrong database"]


async def test_a_letter_that_lies_there_twice_and_one_that_is_gone_are_found(
    truth: Truth, database: asyncpg.Connection, redis: Redis, stream_name: str
) -> None:
    dead = dead_letter_stream(stream_name)
    entries: Any = await redis.xrange(dead)
    ((_, letter),) = entries
    await redis.xadd(dead, letter)
    assert await kinds(truth, database, redis, stream_name) == ["doubled dead letter"]
    await redis.delete(dead)
    assert await kinds(truth, database, redis, stream_name) == ["missing dead letter"]


async def test_what_is_still_in_the_stream_is_told_with_its_place(
    truth: Truth, database: asyncpg.Connection, redis: Redis, stream_name: str
) -> None:
    pending, unread = make_posts(2, prefix="waiting")
    truth.offer([pending, unread])
    for post in (pending, unread):
        await redis.xadd(stream_name, dict[Any, Any](encode_post(post)))
    await redis.xreadgroup(GROUP, "me", {stream_name: ">"}, count=1)
    evidence = await gather(database, redis, stream_name, GROUP, {})
    assert evidence.waiting == {pending.post_id: "pending at me, delivered 1 times", unread.post_id: "unread"}
    lost = {each.what for each in compare(truth, evidence) if each.kind == "lost post"}
    assert lost == {f"{post_id}: in the stream, {where}" for post_id, where in evidence.waiting.items()}
