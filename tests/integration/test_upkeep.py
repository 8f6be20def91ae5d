"""Partitions, roll-ups, retention and the index of words, as a worker's rounds keep them."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import cast

import asyncpg
import pytest

from services.common.database import open_pool
from services.common.deletions import delete_posts
from services.common.moments import DAY, HOUR, floor
from services.common.partitions import create_partitions
from services.common.settings import Settings
from services.worker.store import store
from services.worker.upkeep import retention, run, source_retention
from services.worker.upkeep.closing import close_buckets, quiet_before
from services.worker.upkeep.leader import leading
from services.worker.upkeep.retention import drop_old_days
from services.worker.upkeep.search_index import index_words
from services.worker.upkeep.source_retention import delete_old_days
from tests.integration.test_store import analysed, varied
from tests.posts import make_posts
from tests.rows import assert_rollups_are_a_recount, count_again, insert
from tests.waiting import eventually

NOW = datetime(2026, 5, 1, tzinfo=UTC)


async def days(database: asyncpg.Connection, table: str = "social_media_posts") -> list[str]:
    rows = await database.fetch(
        "SELECT right(inhrelid::regclass::text, 8) AS day FROM pg_inherits"
        " WHERE inhparent = to_regclass($1) ORDER BY 1",
        table,
    )
    return [row["day"] for row in rows]


def suffix(ahead: int) -> str:
    return f"{datetime.now(UTC) + ahead * DAY:%Y%m%d}"


async def insert_randomly(database: asyncpg.Connection, count: int, over: timedelta, seed: int = 1) -> None:
    chance = random.Random(seed)
    now = datetime.now(UTC)
    for number in range(count):
        await insert(
            database,
            f"p{number}",
            source=chance.choice("ab"),
            label=chance.choice(("positive", "negative", "neutral")),
            emotion=chance.choice(("joy", "anger", None)),
            confidence=chance.random(),
            created_at=now - chance.random() * 1_000 * DAY,
            ingested_at=now - chance.random() * over,
            counted=False,
        )
    await count_again(database)


async def test_partitions_are_made_ahead_by_many_at_once(database: asyncpg.Connection, database_url: str) -> None:
    connections = [await asyncpg.connect(database_url) for _ in range(4)]
    made = await asyncio.gather(*(create_partitions(each, 9) for each in connections))
    assert sum(made) == 7  # three were there from the start
    for table in ("social_media_posts", "sentiment_analysis"):
        assert await days(database, table) == [suffix(ahead) for ahead in range(10)]
    await asyncio.gather(*(each.close() for each in connections))


async def test_partitions_are_made_while_an_index_is_made_on_another_day(
    database: asyncpg.Connection, database_url: str
) -> None:
    """An index that is made concurrently holds this lock on its table, for an hour where the day was busy."""
    other = await asyncpg.connect(database_url)
    async with other.transaction():
        for table in ("social_media_posts", "sentiment_analysis"):
            await other.execute(f"LOCK TABLE {table}_{suffix(0)} IN SHARE UPDATE EXCLUSIVE MODE")
        await create_partitions(database, 5)
    await other.close()
    assert suffix(5) in await days(database)


async def test_coarser_buckets_are_derived_exactly_round_after_round(database: asyncpg.Connection) -> None:
    await insert_randomly(database, 120, over=5 * DAY)
    await close_buckets(database)
    assert await database.fetchval("SELECT count(*) FROM sentiment_days") > 0
    await assert_rollups_are_a_recount(database)
    await close_buckets(database)
    await assert_rollups_are_a_recount(database)


async def test_an_hour_that_is_closed_later_joins_those_before_it(database: asyncpg.Connection) -> None:
    await insert_randomly(database, 60, over=3 * DAY)
    for hours_ago in (60, 59, 30, 2, 1, 0):
        await close_buckets(database, lag=hours_ago * HOUR)
        await assert_rollups_are_a_recount(database)
    now = datetime.now(UTC)
    assert await database.fetchval("SELECT hours_before FROM rollup_progress") >= floor(now, HOUR) - HOUR


async def test_nothing_is_closed_that_an_open_transaction_may_still_write_into(
    database: asyncpg.Connection, database_url: str
) -> None:
    writer = await asyncpg.connect(database_url)
    async with writer.transaction():
        began = await writer.fetchval("SELECT now()")
        assert await quiet_before(database, timedelta()) == began
    assert await quiet_before(database, timedelta()) > began
    await writer.close()


async def test_a_post_that_is_stored_while_its_time_is_closed_is_counted(
    database: asyncpg.Connection, database_url: str
) -> None:
    await insert_randomly(database, 20, over=3 * HOUR)
    writer = await asyncpg.connect(database_url)
    async with writer.transaction():
        began = await writer.fetchval("SELECT now()")
        # As if an hour had passed since: without a look at who still writes, all of it would be closed.
        await close_buckets(database, lag=-HOUR)
        # A connection has what a pool is asked for here, and the statement is part of its transaction.
        assert len(await store(cast(asyncpg.Pool, writer), analysed(make_posts(3, prefix="late")), NOW)) == 3
    assert await database.fetchval("SELECT ten_minutes_before FROM rollup_progress") <= began
    await close_buckets(database, lag=-HOUR)
    assert await database.fetchval("SELECT hours_before FROM rollup_progress") > began
    await assert_rollups_are_a_recount(database)
    await writer.close()


async def test_old_days_go_with_all_that_belongs_to_them_and_the_others_stay(
    database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    for ago in range(6):
        await insert(database, f"old{ago}", ingested_at=now - ago * DAY)
    await database.executemany(
        """
        INSERT INTO analysis_batches (id, worker, posts, tokenized_at, sentiment_at, emotion_at, stored_at, tokenize_ms,
                                      sentiment_ms, emotion_ms, sentiment_requests, emotion_requests)
        VALUES (next_id_at($1), 'w', 1, $1, $1, $1, $1, 1, 1, 1, 1, 1)
        """,
        [(now - ago * DAY,) for ago in range(6) for _ in range(3)],
    )
    await close_buckets(database)
    await drop_old_days(database, 0)
    assert await database.fetchval("SELECT count(*) FROM social_media_posts") == 6
    assert await database.fetchval("SELECT count(*) FROM analysis_batches") == 18
    monkeypatch.setattr(retention, "KEYS_AT_ONCE", 2)
    await drop_old_days(database, 2)
    # A batch is analysed before it is stored, after midnight perhaps: its row stays a day longer than the posts.
    assert await database.fetchval("SELECT count(*) FROM analysis_batches") == 12
    kept = ["old0", "old1", "old2"]
    for table in ("social_media_posts", "sentiment_analysis", "social_media_post_keys"):
        rows = await database.fetch(f"SELECT post_id FROM {table} ORDER BY post_id")
        assert [row["post_id"] for row in rows] == kept, table
    assert await days(database) == [suffix(ahead) for ahead in range(-2, 3)]
    assert await database.fetchval("SELECT count(*) FROM pg_class WHERE relname LIKE 'retired%'") == 0
    await assert_rollups_are_a_recount(database)


async def test_old_days_of_a_source_go_with_all_that_counts_them_bit_by_bit_and_those_of_others_stay(
    database: asyncpg.Connection, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_retention, "POSTS_AT_ONCE", 7)
    monkeypatch.setattr(source_retention, "MAX_POSTS_A_ROUND", 20)
    await insert_randomly(database, 300, 6 * DAY)
    await close_buckets(database)
    too_old = "source = 'a' AND ingested_at < (date_trunc('day', now(), 'UTC') - interval '2 days')"
    kept = [
        row["post_id"] for row in await database.fetch(f"SELECT post_id FROM social_media_posts WHERE NOT ({too_old})")
    ]
    dropped = [
        row["post_id"] for row in await database.fetch(f"SELECT post_id FROM social_media_posts WHERE {too_old}")
    ]
    assert len(dropped) > 40
    await delete_old_days(database, {"a": 2, "nobody": 1})
    left = await database.fetchval(f"SELECT count(*) FROM social_media_posts WHERE {too_old}")
    assert 0 < left <= len(dropped) - 20
    # Of a day whose roll-ups are gone already, perhaps.
    oldest = await database.fetchval(f"SELECT post_id FROM social_media_posts WHERE {too_old} ORDER BY id LIMIT 1")
    assert await delete_posts(pool, [oldest]) == [oldest]
    for _ in range(20):
        await delete_old_days(database, {"a": 2, "nobody": 1})
    for table in ("social_media_posts", "sentiment_analysis", "social_media_post_keys"):
        rows = await database.fetch(f"SELECT post_id FROM {table} WHERE post_id <> $1", oldest)
        assert sorted(row["post_id"] for row in rows) == sorted(kept), table
    await assert_rollups_are_a_recount(database)


async def test_a_dropped_post_may_be_stored_again_even_while_its_key_is_being_deleted(
    database: asyncpg.Connection, database_url: str
) -> None:
    (post,) = make_posts(1)
    await insert(database, post.post_id, ingested_at=datetime.now(UTC) - 9 * DAY)
    async with open_pool(database_url, max_size=1) as pool:
        assert await store(pool, analysed([post]), NOW) == []
        await drop_old_days(database, 3)
        assert len(await store(pool, analysed([post]), NOW)) == 1
        # As if the process had died after the key and before the list of keys was gone.
        await database.execute(
            "CREATE TABLE retired_posts_20200101 AS SELECT 1::bigint AS id, $1::text AS post_id".replace(
                "$1", f"'{post.post_id}'"
            )
        )
        await drop_old_days(database, 3)
        assert await store(pool, analysed([post]), NOW) == []


async def test_words_are_indexed_unless_the_day_is_busy(database: asyncpg.Connection, database_url: str) -> None:
    await insert(database, "old", ingested_at=datetime.now(UTC) - 5 * DAY)

    async def indexed() -> list[str]:
        rows = await database.fetch("SELECT right(tablename, 8) AS day FROM pg_indexes WHERE indexname ~ '_search$'")
        return sorted(row["day"] for row in rows)

    assert await index_words(database)
    assert await indexed() == [suffix(-5), suffix(0)]
    async with open_pool(database_url, max_size=1) as pool:
        await store(pool, varied(make_posts(500), seed=1), NOW)
    assert await index_words(database, busy_posts_per_s=1)
    assert await indexed() == [suffix(-5)]
    assert await index_words(database, busy_posts_per_s=1)
    assert await indexed() == [suffix(-5)]
    assert await index_words(database)
    assert await indexed() == [suffix(-5), suffix(0)]


async def test_an_index_that_was_left_half_made_is_made_again(database: asyncpg.Connection) -> None:
    assert await index_words(database)
    name = f"social_media_posts_{suffix(0)}_search"
    await database.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass($1)", name)
    assert await index_words(database)
    assert await database.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)", name)


async def test_without_the_extension_words_are_not_indexed_and_the_log_says_what_to_do(
    database: asyncpg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    role = await database.fetchval("SELECT 'limited_' || current_database()")
    await database.execute(f"CREATE ROLE {role}; SET ROLE {role}")
    assert not await index_words(database)
    assert "CREATE EXTENSION pg_trgm" in capsys.readouterr().out
    await database.execute(f"RESET ROLE; DROP ROLE {role}")


async def test_one_process_leads(database_url: str) -> None:
    async with leading(database_url, 1) as first, leading(database_url, 1) as second, leading(database_url, 2) as third:
        assert first is not None
        assert second is None
        assert third is not None
    async with leading(database_url, 1) as again:
        assert again is not None


async def test_the_rounds_do_all_of_it_and_outlive_an_error(
    database: asyncpg.Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(_env_file=None, retention_days=3, retention_days_by_source="brief=1")
    monkeypatch.setattr(run, "INTERVAL_S", 0.05)
    await insert(database, "old", ingested_at=datetime.now(UTC) - 9 * DAY)
    await insert(database, "of a brief source", source="brief", ingested_at=datetime.now(UTC) - 2 * DAY)
    await database.execute("ALTER TABLE rollup_progress RENAME TO hidden")
    upkeep = asyncio.create_task(run.keep_storage(database_url, settings))

    async def failed() -> bool:
        # The first step of the round is done, the second is the one that fails.
        return suffix(3) in await days(database)

    async def done() -> bool:
        return bool(
            await database.fetchval(
                """SELECT NOT EXISTS (SELECT FROM social_media_posts)
                      AND EXISTS (SELECT FROM pg_indexes WHERE indexname ~ '_search$')
                      AND (SELECT hours_before > now() - interval '2 hours' FROM rollup_progress)"""
            )
        )

    try:
        await eventually(failed, "a round that fails")
        await database.execute("ALTER TABLE hidden RENAME TO rollup_progress")
        await eventually(done, "a whole round")
    finally:
        upkeep.cancel()
        await asyncio.gather(upkeep, return_exceptions=True)
