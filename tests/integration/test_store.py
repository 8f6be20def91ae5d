"""A batch is stored whole or not at all, and once."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from services.common.database import open_pool
from services.common.errors import Rejected, Transient
from services.common.messages import MAX_EPOCH_MS, Analysis, Post
from services.common.partitions import first_id_at, moment_of
from services.inference.analyzer import Course, Inferred
from services.inference.statistics import Split
from services.worker.journey import Journey, passage
from services.worker.store import store
from tests.posts import make_posts
from tests.rows import assert_rollups_are_a_recount

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def analysed(posts: list[Post], label: str = "positive") -> list[tuple[Post, Analysis]]:
    analysis = Analysis(
        model_name="model",
        model_version=2,
        sentiment_label=label,
        confidence=0.75,
        emotion_model_name="moods",
        emotion_model_version=7,
        emotion="joy",
        emotion_confidence=0.5,
    )
    return [(post, analysis) for post in posts]


async def counts(pool: asyncpg.Pool) -> tuple[int, int]:
    row = await pool.fetchrow(
        "SELECT (SELECT count(*) FROM social_media_posts) AS p, (SELECT count(*) FROM sentiment_analysis) AS a"
    )
    assert row
    return row["p"], row["a"]


async def test_posts_come_back_as_they_were(pool: asyncpg.Pool) -> None:
    posts = make_posts(50)
    stored = await store(pool, analysed(posts), NOW)
    assert [s.post for s in stored] == posts
    rows = await pool.fetch("SELECT * FROM social_media_posts JOIN sentiment_analysis USING (post_id) ORDER BY 1")
    by_id = {row["post_id"]: row for row in rows}
    for post in posts:
        row = by_id[post.post_id]
        assert (row["source"], row["content"], row["author"], row["created_at"]) == (
            post.source,
            post.content,
            post.author,
            post.created_at,
        )
        assert (row["sentiment_label"], row["confidence_score"], row["emotion"]) == ("positive", 0.75, "joy")
        assert (row["model_name"], row["model_version"]) == ("model", 2)
        assert (row["emotion_model_name"], row["emotion_model_version"]) == ("moods", 7)


async def test_an_analysis_from_before_versions_were_recorded_is_stored_as_such(pool: asyncpg.Pool) -> None:
    analysis = Analysis(
        model_name="m", sentiment_label="neutral", confidence=0.5, emotion="joy", emotion_confidence=0.5
    )
    await store(pool, [(make_posts(1)[0], analysis)], NOW)
    row = await pool.fetchrow("SELECT model_version, emotion_model_name, emotion_model_version FROM sentiment_analysis")
    assert row is not None
    assert tuple(row) == (0, None, None)


async def test_a_redelivered_batch_changes_nothing_and_announces_nothing(pool: asyncpg.Pool) -> None:
    posts = make_posts(20)
    await store(pool, analysed(posts[:15]), NOW)
    stored = await store(pool, analysed(posts, "negative"), NOW)
    assert [s.post for s in stored] == posts[15:]
    assert await counts(pool) == (20, 20)
    assert await pool.fetchval("SELECT count(*) FROM sentiment_analysis WHERE sentiment_label = 'positive'") == 15


async def test_a_post_that_is_twice_in_a_batch_is_stored_once(pool: asyncpg.Pool) -> None:
    (post,) = make_posts(1)
    stored = await store(pool, [*analysed([post]), *analysed([post], "negative")], NOW)
    assert len(stored) == 1
    assert await counts(pool) == (1, 1)


async def test_a_batch_with_a_value_that_is_refused_leaves_nothing(pool: asyncpg.Pool) -> None:
    good = analysed(make_posts(3))
    impossible = Analysis(
        model_name="m", sentiment_label="positive", confidence=7.0, emotion="joy", emotion_confidence=0.5
    )
    bad = (make_posts(1, prefix="bad")[0], impossible)
    with pytest.raises(Rejected):
        await store(pool, [*good, bad], NOW)
    assert await counts(pool) == (0, 0)


def varied(posts: list[Post], seed: int) -> list[tuple[Post, Analysis]]:
    """Every label, some without an emotion, different confidences."""
    chance = random.Random(seed)
    return [
        (
            post,
            Analysis(
                model_name="model",
                sentiment_label=chance.choice(("positive", "negative", "neutral")),
                confidence=chance.random(),
                emotion=chance.choice(("joy", "anger", "fear", "")),
                emotion_confidence=chance.random(),
            ),
        )
        for post in posts
    ]


async def test_batches_that_overlap_stored_at_once_are_counted_once(
    pool: asyncpg.Pool, database: asyncpg.Connection, database_url: str
) -> None:
    """Every post is in three of the batches, in orders of their own, and in some of them twice."""
    posts = make_posts(300)
    chance = random.Random(1)
    batches = []
    for number in range(9):
        batch = varied(posts[number % 3 * 100 :][:150] + posts[:20], seed=7)
        chance.shuffle(batch)
        batches.append([*batch, *batch[:10]])
    async with open_pool(database_url, max_size=6) as many:
        stored = await asyncio.gather(*(store(many, batch, NOW) for batch in batches))
    assert sorted(s.post.post_id for batch in stored for s in batch) == sorted(post.post_id for post in posts)
    assert await counts(pool) == (300, 300)
    assert await pool.fetchval("SELECT count(*) FROM social_media_post_keys") == 300
    assert await pool.fetchval("SELECT sum(posts) FROM sentiment_minutes") == 300
    await assert_rollups_are_a_recount(database)


async def test_batch_after_batch_is_added_to_the_minutes(database: asyncpg.Connection, database_url: str) -> None:
    """By one connection, so that every batch meets the rows of the one before it; half of each batch is old."""
    posts = make_posts(220)
    async with open_pool(database_url, max_size=1) as one:
        for start in range(0, 200, 20):
            assert len(await store(one, varied(posts[start : start + 40], seed=start), NOW)) == (20 if start else 40)
            await assert_rollups_are_a_recount(database)


async def test_ids_tell_when_and_in_which_order_posts_came(pool: asyncpg.Pool) -> None:
    posts = make_posts(300)
    for start in range(0, 300, 50):
        await store(pool, analysed(posts[start : start + 50]), NOW)
    rows = await pool.fetch("SELECT id, post_id, ingested_at FROM social_media_posts ORDER BY id")
    assert [row["post_id"] for row in rows] == [post.post_id for post in posts]
    for row in rows:
        assert timedelta() <= row["ingested_at"] - moment_of(row["id"]) < timedelta(milliseconds=1)
        assert first_id_at(row["ingested_at"]) <= row["id"]


async def test_what_is_rolled_back_is_counted_nowhere(pool: asyncpg.Pool, database: asyncpg.Connection) -> None:
    await store(pool, varied(make_posts(20), seed=3), NOW)
    before = await database.fetch("SELECT * FROM emotion_minutes ORDER BY 1, 2, 3, 4")
    good = varied(make_posts(20, seed=1), seed=4)
    impossible = msgspec.structs.replace(good[0][1], confidence=7.0)
    with pytest.raises(Rejected):
        await store(pool, [*good, (make_posts(1, prefix="bad")[0], impossible)], NOW)
    assert await database.fetch("SELECT * FROM emotion_minutes ORDER BY 1, 2, 3, 4") == before
    assert await pool.fetchval("SELECT count(*) FROM social_media_post_keys") == 20
    await assert_rollups_are_a_recount(database)
    assert len(await store(pool, good, NOW)) == 20


async def test_a_day_that_nobody_has_prepared_is_prepared_by_whoever_needs_it(
    pool: asyncpg.Pool, database: asyncpg.Connection
) -> None:
    for row in await database.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
        " WHERE inhparent IN ('social_media_posts'::regclass, 'sentiment_analysis'::regclass)"
    ):
        await database.execute(f"DROP TABLE {row['name']}")
    batches = [analysed(make_posts(10, seed=seed)) for seed in range(4)]
    stored = await asyncio.gather(*(store(pool, batch, NOW) for batch in batches))
    assert [len(batch) for batch in stored] == [10] * 4
    assert await counts(pool) == (40, 40)


async def test_a_post_without_a_partition_is_nobodys_fault(
    pool: asyncpg.Pool, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, never buried: the value is good."""

    async def nothing(_held: object) -> int:
        return 0

    monkeypatch.setattr("services.worker.store.create_partitions", nothing)
    await database.execute("CREATE OR REPLACE FUNCTION first_id_at(moment timestamptz) RETURNS bigint RETURN 7")
    with pytest.raises(Transient, match="no partition"):
        await store(pool, analysed(make_posts(1)), NOW)


async def test_a_database_that_is_away_is_transient() -> None:
    async with open_pool("postgresql://u:p@127.0.0.1:1/d", max_size=1) as pool:
        with pytest.raises(Transient):
            await store(pool, analysed(make_posts(1)), NOW)


async def test_a_table_that_is_missing_is_waited_for_and_blames_no_post(pool: asyncpg.Pool) -> None:
    await pool.execute("ALTER TABLE sentiment_minutes RENAME TO elsewhere")
    with pytest.raises(Transient, match="sentiment_minutes"):
        await store(pool, analysed(make_posts(2)), NOW)
    await pool.execute("ALTER TABLE elsewhere RENAME TO sentiment_minutes")
    assert len(await store(pool, analysed(make_posts(2)), NOW)) == 2


def journeys(count: int, queued_ms: int = 1_767_225_600_123, posts: int = 0) -> list[Journey]:
    """Of `count` posts that were analysed together, all of them by default."""
    course = Course(100.0, 1.5, Inferred(100.2, 20.0, 3, Split(2.0, 8.0)), Inferred(100.3, 30.0, 4, None))
    shared = passage("worker-a", posts or count, course)
    return [Journey(queued_ms + i, 10 * i, shared) for i in range(count)]


async def test_posts_that_were_analysed_together_have_their_own_arrival_and_one_row_for_the_rest(
    pool: asyncpg.Pool,
) -> None:
    posts = make_posts(5)
    stored = await store(pool, analysed(posts), NOW, [*journeys(3), *journeys(2, queued_ms=5_000)])
    assert [s.queued_ms for s in stored] == [1_767_225_600_123, 1_767_225_600_124, 1_767_225_600_125, 5_000, 5_001]
    rows = await pool.fetch(
        """
        SELECT a.post_id, a.queued_at, a.read_after_ms, b.* FROM sentiment_analysis a
          JOIN analysis_batches b ON b.id = a.batch_id ORDER BY a.queued_at DESC
        """
    )
    assert [row["read_after_ms"] for row in rows] == [20, 10, 0, 10, 0]
    assert rows[0]["queued_at"] == datetime(2026, 1, 1, 0, 0, 0, 125_000, tzinfo=UTC)
    assert [row["posts"] for row in rows] == [3, 3, 3, 2, 2]
    assert len({row["id"] for row in rows}) == 2
    first = rows[0]
    assert (first["worker"], first["tokenized_at"].timestamp(), first["emotion_at"].timestamp()) == (
        "worker-a",
        100.0,
        100.3,
    )
    assert (first["sentiment_queue_ms"], first["sentiment_compute_ms"], first["emotion_queue_ms"]) == (2, 8, None)
    assert (first["sentiment_requests"], first["emotion_requests"]) == (3, 4)


async def test_a_batch_has_one_row_however_often_it_is_delivered_or_cut(pool: asyncpg.Pool) -> None:
    """Redelivered, its posts change nothing, and so it did not happen; cut by a refused post, it was still one."""
    posts, ways = make_posts(6), journeys(6)
    await store(pool, analysed(posts[:3]), NOW, ways[:3])
    await store(pool, analysed(posts[3:]), NOW, ways[3:])
    assert await pool.fetchval("SELECT count(*) FROM analysis_batches") == 1
    before = await pool.fetch("SELECT * FROM sentiment_analysis ORDER BY post_id")
    assert await store(pool, analysed(posts, "negative"), NOW, journeys(6, queued_ms=9_000)) == []
    assert await pool.fetchval("SELECT count(*) FROM analysis_batches") == 1
    assert await pool.fetch("SELECT * FROM sentiment_analysis ORDER BY post_id") == before


async def test_without_journeys_nothing_is_recorded_of_them(pool: asyncpg.Pool) -> None:
    """As of a worker of the version before."""
    (stored,) = await store(pool, analysed(make_posts(1)), NOW)
    assert stored.queued_ms is None
    assert await pool.fetchval("SELECT count(*) FROM analysis_batches") == 0
    row = await pool.fetchrow("SELECT queued_at, read_after_ms, batch_id FROM sentiment_analysis")
    assert row is not None
    assert tuple(row) == (None, None, None)


async def test_arrivals_of_any_year_are_stored(pool: asyncpg.Pool) -> None:
    shared = journeys(1)[0].passage
    ways = [Journey(0, None, shared), Journey(MAX_EPOCH_MS, 0, shared), Journey(None, None, shared)]
    assert len(await store(pool, analysed(make_posts(3)), NOW, ways)) == 3
