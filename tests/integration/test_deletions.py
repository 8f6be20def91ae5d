"""A post that is deleted is nowhere any more, is counted nowhere, and does not come back."""

import asyncio
import csv
import random
import signal
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from services.api.deleted_letters import DeletedLetters
from services.common.database import open_pool
from services.common.dead_letters import DeadLetter, DeadLetters
from services.common.dead_letters.filters import Filter
from services.common.deletions import delete_posts
from services.common.messages import Deletion, Post, encode_post
from services.common.migrations.grants import API, READ, WORKER
from services.common.moments import DAY, floor
from services.common.settings import Settings
from services.common.streams import dead_letter_stream, ensure_group, open_redis
from services.ingester.publisher import Publisher
from services.worker.store import store
from services.worker.upkeep.closing import close_buckets
from services.worker.upkeep.retention import drop_old_days, forget_deletions
from tests.integration.database_roles import as_role, deploy
from tests.integration.test_api_live import receive
from tests.integration.test_api_server import Api
from tests.integration.test_failover import MODELLESS
from tests.integration.test_store import analysed, varied
from tests.integration.test_worker import nothing_is_open
from tests.posts import make_posts
from tests.processes import service
from tests.redis_reads import entries
from tests.rows import assert_rollups_are_a_recount, count_again, insert, make_older
from tests.waiting import eventually

NOW = datetime(2026, 5, 1, tzinfo=UTC)
POSTS = make_posts(24)
TABLES = ("social_media_posts", "sentiment_analysis")

some_posts = st.lists(st.sampled_from(range(len(POSTS))), min_size=1, max_size=8)
STEPS: st.SearchStrategy[tuple[str, list[int]]] = st.one_of(
    st.tuples(st.just("store"), some_posts),
    st.tuples(st.just("delete"), some_posts),
    st.tuples(st.just("older"), st.sampled_from([1, 7, 61, 1_500]).map(lambda minutes: [minutes])),
    st.tuples(st.just("close"), st.just([])),
)


async def ids_in(database: asyncpg.Connection, table: str) -> list[str]:
    return [row["post_id"] for row in await database.fetch(f"SELECT post_id FROM {table} ORDER BY post_id")]


async def empty(database: asyncpg.Connection) -> None:
    await database.execute(f"TRUNCATE {', '.join(TABLES)}, social_media_post_keys, deleted_posts")
    await count_again(database)


@given(steps=st.lists(STEPS, min_size=3, max_size=12), seed=st.integers(0, 99))
@trying(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_after_any_course_of_posts_and_deletions_all_is_a_recount_of_what_is_left(
    database: asyncpg.Connection, pool: asyncpg.Pool, steps: Sequence[tuple[str, list[int]]], seed: int
) -> None:
    await empty(database)
    stored: set[str] = set()
    deleted: set[str] = set()
    chance = random.Random(seed)
    for what, numbers in steps:
        if what == "older":
            await make_older(database, timedelta(minutes=numbers[0]))
        elif what == "close":
            await close_buckets(database, lag=timedelta(minutes=1))
        elif what == "store":
            new = await store(pool, varied([POSTS[n] for n in numbers], chance.randrange(100)), NOW)
            assert {each.post.post_id for each in new} == {POSTS[n].post_id for n in numbers} - stored - deleted
            stored |= {each.post.post_id for each in new}
        else:
            ids = [POSTS[n].post_id for n in numbers]
            assert sorted(await delete_posts(pool, ids)) == sorted(stored & set(ids))
            stored -= set(ids)
            deleted |= set(ids)
        await assert_rollups_are_a_recount(database)
        for table in TABLES:
            assert await ids_in(database, table) == sorted(stored)
        assert await ids_in(database, "deleted_posts") == sorted(deleted)


async def test_posts_that_are_stored_and_deleted_at_once_are_gone_and_the_others_counted_once(
    database: asyncpg.Connection, database_url: str
) -> None:
    """Every post comes three times and half of them are deleted twice, by many at once, while buckets are closed."""
    posts = make_posts(240)
    doomed = [post.post_id for post in posts[::2]]
    chance = random.Random(5)

    def some(of: Sequence[Any], count: int) -> list[Any]:
        return chance.sample(list(of), count)

    async with open_pool(database_url, max_size=8) as many:
        stores = [store(many, varied(some(posts, 80), seed), NOW) for seed in range(9)]
        deletions = [delete_posts(many, some(doomed, 40)) for _ in range(6)]

        async def close() -> None:
            async with many.acquire() as held:
                await close_buckets(held, lag=timedelta())  # type: ignore[arg-type] # a proxy of one

        work = [*stores, *deletions, *(close() for _ in range(3))]
        chance.shuffle(work)
        await asyncio.gather(*work)
        await delete_posts(many, doomed)
        await store(many, varied(posts, 1), NOW)
    kept = sorted(post.post_id for post in posts[1::2])
    for table in TABLES:
        assert await ids_in(database, table) == kept
    await assert_rollups_are_a_recount(database)


async def test_posts_of_one_closed_hour_that_are_deleted_at_once_are_all_taken_out_of_it(
    database: asyncpg.Connection, database_url: str
) -> None:
    moment = floor(datetime.now(UTC), DAY) - timedelta(hours=5)
    for number in range(60):
        await insert(database, f"p{number}", ingested_at=moment + number * timedelta(minutes=1), counted=False)
    await count_again(database)
    await close_buckets(database)
    async with open_pool(database_url, max_size=8) as many:
        await asyncio.gather(*(delete_posts(many, [f"p{number}"]) for number in range(40)))
    assert await database.fetchval("SELECT sum(posts) FROM sentiment_days") == 20
    await assert_rollups_are_a_recount(database)


async def test_who_deletes_waits_for_who_is_storing_the_post(
    database: asyncpg.Connection, pool: asyncpg.Pool, database_url: str
) -> None:
    """Otherwise neither would know of the other, and the post would stay."""
    (post,) = make_posts(1)
    async with open_pool(database_url, max_size=1) as writers, writers.acquire() as writer:
        transaction = writer.transaction()
        await transaction.start()
        await store(writer, analysed([post]), NOW)  # type: ignore[arg-type] # it has what a pool is asked for here
        deletion = asyncio.create_task(delete_posts(pool, [post.post_id]))

        async def waits() -> bool:
            waiting = "wait_event_type = 'Lock' AND query ~ 'delete_posts'"
            return bool(await database.fetchval(f"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE {waiting})"))

        await eventually(waits, "the deletion waits")
        await transaction.commit()
        assert await deletion == [post.post_id]
    await assert_rollups_are_a_recount(database)
    assert await ids_in(database, "social_media_posts") == []


async def test_a_deletion_is_remembered_for_as_long_as_it_is_said_and_then_forgotten(
    database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    old, fresh = make_posts(2)
    await delete_posts(pool, [old.post_id])
    await database.execute("UPDATE deleted_posts SET deleted_at = deleted_at - interval '30 days 1 minute'")
    await delete_posts(pool, [fresh.post_id])
    await forget_deletions(database, 31)
    assert await store(pool, analysed([old, fresh]), NOW) == []
    await forget_deletions(database, 30)
    assert [each.post for each in await store(pool, analysed([old, fresh]), NOW)] == [old]
    # Who deletes it again wants it remembered from then on.
    await delete_posts(pool, [fresh.post_id])
    await database.execute("UPDATE deleted_posts SET deleted_at = deleted_at - interval '29 days'")
    await delete_posts(pool, [fresh.post_id])
    await database.execute("UPDATE deleted_posts SET deleted_at = deleted_at - interval '29 days'")
    await forget_deletions(database, 30)
    assert await store(pool, analysed([fresh]), NOW) == []
    # What is stored again has a key of its own, which a deletion of before does not take.
    await forget_deletions(database, 30)
    assert await store(pool, analysed([old]), NOW) == []


async def test_workers_and_api_may_delete_posts_and_nobody_else(empty_database_url: str) -> None:
    await deploy(empty_database_url)
    posts = make_posts(3)
    async with open_pool(as_role(empty_database_url, WORKER), max_size=1) as worker:
        await store(worker, analysed(posts), NOW)
        assert await delete_posts(worker, [posts[0].post_id]) == [posts[0].post_id]
    async with open_pool(as_role(empty_database_url, API), max_size=1) as api:
        assert await delete_posts(api, [posts[1].post_id]) == [posts[1].post_id]
    reader = await asyncpg.connect(as_role(empty_database_url, READ))
    await reader.execute("SET default_transaction_read_only = off")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.execute("SELECT delete_posts('{x}')")
    assert await ids_in(reader, "social_media_posts") == [posts[2].post_id]
    await reader.close()


ID = "at://did:plc:x/app.bsky.feed.post/3k?y#z%2F"


async def test_the_api_shows_a_deleted_post_nowhere(api: Api, database: asyncpg.Connection) -> None:
    ago = datetime.now(UTC) - timedelta(minutes=3)
    await insert(database, ID, content="a secret word", label="negative", ingested_at=ago, source="only")
    await insert(database, "other", content="another word", ingested_at=ago)
    await close_buckets(database)

    async def listens() -> bool:
        return bool((await api.health())["services"]["redis"] == "connected")

    await eventually(listens, "the API hears of deletions")
    async with connect(api.live_url) as browser:
        await receive(browser, "connected")
        answer = await api.http.delete(f"/api/posts/{quote(ID, safe='')}")
        assert (answer.status_code, answer.json()) == (200, {"post_id": ID, "was_stored": True})
        assert (await receive(browser, "deleted"))["data"] == {"post_ids": [ID]}
    for params in ({}, {"search": "secret"}, {"source": "only"}, {"sentiment": "negative"}):
        page = await api.get("/api/posts", **params)
        expected = ["other"] if not params else []
        assert [post["post_id"] for post in page["posts"]] == expected
        assert page["total"] == len(expected)
    exported = (await api.http.get("/api/posts/export")).text
    assert [row["post_id"] for row in csv.DictReader(exported.splitlines())] == ["other"]
    assert (await api.http.get("/api/posts/journey", params={"post_id": ID})).status_code == 404
    distribution = await api.get("/api/sentiment/distribution")
    assert distribution["total"] == 1
    assert distribution["distribution"]["negative"] == 0
    again = await api.http.delete(f"/api/posts/{quote(ID, safe='')}")
    assert (again.status_code, again.json()["was_stored"]) == (200, False)


WORD = "zugzwang"


async def tables_with(database: asyncpg.Connection, word: str) -> list[str]:
    """The tables that have it in any column of any row."""
    tables = await database.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    found = {
        row["relname"]: await database.fetchval(
            f"SELECT count(*) FROM {row['relname']} AS t WHERE t::text LIKE $1", f"%{word}%"
        )
        for row in tables
    }
    return sorted(table for table, rows in found.items() if rows)


async def test_within_seconds_nothing_is_left_of_a_deleted_post_and_nothing_brings_it_back(
    api: Api, settings: Settings, database: asyncpg.Connection, tmp_path: Path
) -> None:
    """One that was stored and one that nobody has read yet, through the API and a worker as they are."""
    others = make_posts(30, seed=11)
    stored, unread = (
        Post(post_id=f"at://{name}", source="solo", content=f"what a {WORD}", author=WORD, created_at=NOW)
        for name in ("stored", "unread")
    )
    stream, group = settings.redis_stream_name, settings.redis_consumer_group

    async def delete(post: Post) -> bool:
        answer = await api.http.delete(f"/api/posts/{quote(post.post_id, safe='')}")
        assert answer.status_code == 200
        return bool(answer.json()["was_stored"])

    async def all_stored() -> bool:
        return int((await api.get("/api/posts"))["total"]) == len(others) + 1

    async def counted() -> int:
        return int((await api.get("/api/sentiment/distribution"))["total"])

    async with open_redis(settings.redis_dsn) as redis:
        await ensure_group(redis, stream, group)
        publisher, dead = Publisher(redis, [stream], group, 1_000), DeadLetters(redis, [stream])

        async def refuse(post: Post) -> None:
            fields = {name.encode(): value.encode() for name, value in encode_post(post).items()}
            await dead.bury([DeadLetter("", fields, "rejected_by_model", "no")], group)

        async def redis_has_none() -> bool:
            kept = [*await entries(redis, stream), *await entries(redis, dead_letter_stream(stream))]
            return WORD not in repr(kept)

        await publisher.publish([*others, stored, unread])
        await refuse(stored)
        assert not await delete(unread)
        async with service("worker", settings, tmp_path, module=MODELLESS) as worker, connect(api.live_url) as browser:
            await receive(browser, "connected")
            await eventually(all_stored, "all are stored but the one that was deleted")
            assert await delete(stored)
            while "at://stored" not in (await receive(browser, "deleted"))["data"]["post_ids"]:
                pass
            assert (await api.get("/api/posts", search=WORD))["posts"] == []
            assert (await api.get("/api/posts", source="solo"))["posts"] == []
            assert WORD not in (await api.http.get("/api/posts/export")).text
            assert (await api.http.get("/api/posts/journey", params={"post_id": "at://stored"})).status_code == 404
            assert await tables_with(database, WORD) == []
            await assert_rollups_are_a_recount(database)
            await eventually(lambda: is_equal(counted, len(others)), "what the API counts is a few seconds old at most")
            # The source sends both again, and somebody has both among the letters and replays them.
            await publisher.publish([stored, unread])
            for post in (stored, unread):
                await refuse(post)
            await api.http.post(
                "/api/dead-letters/replay",
                json={"ids": [letter.id for letter in (await dead.page(Filter(), limit=10)).letters]},
            )
            await eventually(lambda: nothing_is_open(redis, settings), "all of it is read again")
            await eventually(redis_has_none, "stream and dead letters have nothing of it")
            assert await worker.stop() == 0, worker.output
    assert await tables_with(database, WORD) == []
    assert await tables_with(database, "at://stored") == ["deleted_posts", "social_media_post_keys"]
    assert await ids_in(database, "social_media_posts") == sorted(post.post_id for post in others)
    await assert_rollups_are_a_recount(database)


async def is_equal(read: Callable[[], Awaitable[int]], expected: int) -> bool:
    return await read() == expected


@pytest.mark.parametrize("wrong", ["", "%00", "%20", "x" * 256])
async def test_what_can_be_no_post_is_refused(api: Api, wrong: str) -> None:
    assert (await api.http.delete(f"/api/posts/{wrong}")).status_code == 422


async def test_dead_letters_of_a_deleted_post_go_whichever_of_the_two_came_first(
    settings: Settings, pool: asyncpg.Pool
) -> None:
    before, after, other = make_posts(3)
    async with open_redis(settings.redis_dsn) as redis:
        await ensure_group(redis, settings.redis_stream_name, settings.redis_consumer_group)
        dead = DeadLetters(redis, settings.streams)
        letters = DeletedLetters(pool, dead)

        async def refuse(*posts: Post) -> None:
            fields = [{k.encode(): v.encode() for k, v in encode_post(post).items()} for post in posts]
            fields.append({b"post_id": b"nul\x00", b"content": b"x"})
            refused = [DeadLetter("", each, "rejected_by_model", "no") for each in fields]
            await dead.bury(refused, settings.redis_consumer_group)

        await refuse(before, other)
        assert await letters.run_once() == 0
        await delete_posts(pool, [before.post_id, after.post_id])
        assert await letters.run_once() == 1
        await refuse(after)
        letters._resting_until = 0.0
        assert await letters.run_once() == 1
        assert await letters.run_once() == 0
        assert (await dead.count()).total == 2


async def test_a_day_that_is_dropped_takes_no_deletion_with_it(
    database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    (post,) = make_posts(1)
    await insert(database, post.post_id, ingested_at=datetime.now(UTC) - 9 * DAY)
    await delete_posts(pool, [post.post_id])
    await drop_old_days(database, 3)
    assert await store(pool, analysed([post]), NOW) == []


async def test_an_entry_of_the_stream_deletes_a_post_whichever_of_the_two_comes_first_and_whoever_is_killed(
    settings: Settings, database: asyncpg.Connection, tmp_path: Path
) -> None:
    posts = make_posts(90, seed=3)
    ids = [post.post_id for post in posts]
    chance = random.Random(2)
    events: list[Post | Deletion] = [*posts, *posts[::3], *(Deletion(post_id=ids[n]) for n in range(0, 90, 2))]
    chance.shuffle(events)
    stream, group = settings.redis_stream_name, settings.redis_consumer_group
    small = settings.model_copy(update={"worker_batch_size": 8})
    async with open_redis(settings.redis_dsn) as redis:
        await ensure_group(redis, stream, group)
        await Publisher(redis, [stream], group, 1_000).publish(events)
        async with service("worker", small, tmp_path, module=MODELLESS) as first:

            async def has_begun() -> bool:
                return bool(await database.fetchval("SELECT EXISTS (SELECT FROM deleted_posts)"))

            await eventually(has_begun, "the first worker deletes something")
            await first.stop(signal.SIGKILL)
        async with service("worker", small, tmp_path, module=MODELLESS) as second:
            await eventually(lambda: nothing_is_open(redis, settings), "everything is acknowledged")
            await Publisher(redis, [stream], group, 1_000).publish(posts)
            await eventually(lambda: nothing_is_open(redis, settings), "all of it again")
            assert await second.stop() == 0, second.output
    for table in TABLES:
        assert await ids_in(database, table) == sorted(ids[1::2])
    await assert_rollups_are_a_recount(database)
