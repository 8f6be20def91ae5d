"""A batch is stored whole or not at all, and once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from services.common.database import open_pool
from services.common.errors import Rejected, Transient
from services.common.messages import Analysis, Post
from services.worker.store import store
from tests.posts import make_posts

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


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with open_pool(database_url, max_size=2) as pool:
        yield pool


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


async def test_a_database_that_is_away_is_transient() -> None:
    async with open_pool("postgresql://u:p@127.0.0.1:1/d", max_size=1) as pool:
        with pytest.raises(Transient):
            await store(pool, analysed(make_posts(1)), NOW)
