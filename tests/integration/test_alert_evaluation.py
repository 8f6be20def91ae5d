"""Rules in the database against a real one: what they count, and when they raise and resolve."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from services.api.alerting import keyword_watch
from services.api.alerting.keyword_watch import KeywordWatch
from services.api.alerting.preview import preview
from services.api.alerting.watch import AlertWatch
from services.api.queries import alerts as queries
from services.common.streams import open_redis
from services.worker.store import store
from tests.integration.alert_rules import (
    BUILT_IN,
    RATIO,
    add,
    later,
    store_posts,
    turn,
)
from tests.integration.test_store import analysed
from tests.posts import make_posts
from tests.rows import insert
from tests.waiting import eventually


@pytest.fixture
async def watch(pool: asyncpg.Pool, redis_url: str) -> AsyncIterator[AlertWatch]:
    async with open_redis(redis_url) as client:
        yield AlertWatch(pool, client, BUILT_IN)


async def counted(pool: asyncpg.Pool) -> dict[int, tuple[int, int]]:
    rows = await pool.fetch("SELECT rule_id, sum(posts)::int, sum(matching)::int FROM alert_keyword_minutes GROUP BY 1")
    return {row[0]: (row[1], row[2]) for row in rows}


async def test_a_rule_raises_once_holds_ends_and_rests(pool: asyncpg.Pool, watch: AlertWatch) -> None:
    await add(pool)
    assert await turn(watch) == []
    await later(pool, 1)
    await store_posts(pool, 12, "negative")
    await store_posts(pool, 8, "positive")
    assert await turn(watch) == [("raised", "ratio")]
    assert await turn(watch) == []
    await later(pool, 1)
    await store_posts(pool, 5, "positive")  # 12 of 25: below the threshold, within the hysteresis
    assert await turn(watch) == []
    await later(pool, 1)
    await store_posts(pool, 5, "positive")  # 12 of 30
    assert await turn(watch) == [("resolved", "ratio")]
    await later(pool, 1)
    await store_posts(pool, 100, "negative")
    assert await turn(watch) == []  # it rests
    await later(pool, 6)
    await store_posts(pool, 100, "negative")
    assert await turn(watch) == [("raised", "ratio")]


@pytest.mark.parametrize(
    ("rule", "fires"),
    [
        ({}, True),
        ({"source": "reddit"}, True),
        ({"source": "twitter"}, False),
        ({"sentiment": "positive"}, False),
        ({"kind": "emotion_ratio", "sentiment": None, "emotion": "Anger"}, True),
        ({"kind": "emotion_ratio", "sentiment": None, "emotion": "joy"}, False),
        ({"kind": "volume", "sentiment": None, "threshold": 19.0}, True),
        ({"kind": "volume", "sentiment": None, "threshold": 20.0}, False),
        ({"kind": "volume", "sentiment": None, "threshold": 14.0, "source": "reddit"}, True),
        ({"min_posts": 21}, False),
        ({"enabled": False}, False),
        ({"keyword": "update"}, True),
        ({"keyword": "new update", "source": "reddit"}, True),
        ({"keyword": "new update", "source": "twitter"}, False),
        ({"keyword": "updates"}, False),
        ({"keyword": "#update"}, False),
        ({"keyword": "update", "kind": "emotion_ratio", "sentiment": None, "emotion": "anger"}, True),
        ({"keyword": "update", "kind": "volume", "sentiment": None, "threshold": 14.0}, True),
        ({"keyword": "update", "kind": "volume", "sentiment": None, "threshold": 15.0}, False),
    ],
)
async def test_each_kind_and_scope(pool: asyncpg.Pool, watch: AlertWatch, rule: dict[str, Any], fires: bool) -> None:
    """Fifteen angry posts of one source about an update, five happy ones of another."""
    await add(pool, **rule)
    await store_posts(pool, 15, "negative", source="reddit", content="This NEW update …", emotion="anger")
    await store_posts(pool, 5, "positive", source="twitter", content="What a day", emotion="joy")
    assert await turn(watch) == ([("raised", "ratio")] if fires else [])


async def test_posts_outside_of_the_window_or_of_the_minute_that_runs_are_not_counted(
    pool: asyncpg.Pool, watch: AlertWatch
) -> None:
    await add(pool, kind="volume", threshold=0.5)
    await store_posts(pool, 3, "negative", age=timedelta(minutes=8))
    await store_posts(pool, 3, "negative", age=timedelta(minutes=-2))
    assert await turn(watch) == []


async def test_a_post_is_counted_once_for_every_keyword_however_many_count_and_store(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers store, processes count, a few posts a turn; what is counted is what a look at every post finds."""
    monkeypatch.setattr(keyword_watch, "MAX_POSTS_PER_TURN", 70)
    monkeypatch.setattr(keyword_watch, "PORTION", 30)
    monkeypatch.setattr(queries, "SETTLED_AFTER", timedelta(milliseconds=5))
    train = await add(pool, name="train", keyword="Train")
    of_reddit = await add(pool, name="reddit", keyword="love", source="reddit")
    storing = True

    async def stores(writer: int) -> None:
        for batch in range(15):
            posts = make_posts(20, seed=batch, prefix=f"w{writer}")
            await store(pool, analysed(posts, "negative" if batch % 2 else "positive"), datetime.now(UTC))

    async def counts() -> None:
        while storing:
            await KeywordWatch(pool).run_once()

    async with asyncio.TaskGroup() as tasks:
        writers = [tasks.create_task(stores(writer)) for writer in range(3)]
        for _ in range(3):
            tasks.create_task(counts())
        await asyncio.gather(*writers)
        storing = False

    async def everything_is_read() -> bool:
        return await KeywordWatch(pool).run_once() == 0

    await eventually(everything_is_read, "nothing is left to count")
    rows = await pool.fetch(
        "SELECT content, source, sentiment_label FROM social_media_posts p"
        " JOIN sentiment_analysis ON post_row_id = p.id"
    )
    assert len(rows) == 900

    def expected(word: str, source: str | None) -> tuple[int, int]:
        found = [r for r in rows if word in r["content"].split() and source in (None, r["source"])]
        return len(found), sum(r["sentiment_label"] == "negative" for r in found)

    assert await counted(pool) == {train.id: expected("train", None), of_reddit.id: expected("love", "reddit")}


async def test_a_transaction_that_commits_late_is_waited_for(
    pool: asyncpg.Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its posts bear the moment at which it began, and are counted all the same, after others that came later."""
    monkeypatch.setattr(queries, "SETTLED_AFTER", timedelta(milliseconds=1))
    rule = await add(pool, keyword="text")
    slow = await asyncpg.connect(database_url)
    transaction = slow.transaction()
    await transaction.start()
    began = await slow.fetchval("SELECT now()")
    await insert(slow, "late", content="text", ingested_at=began, counted=False)
    for number in range(20):
        async with pool.acquire() as held:
            await insert(held, f"p{number}", content="text", counted=False)
        await KeywordWatch(pool).run_once()
    assert await counted(pool) == {}  # none of them, since a late one would be passed over
    await transaction.commit()

    async def are_counted() -> bool:
        await KeywordWatch(pool).run_once()
        return await counted(pool) == {rule.id: (21, 0)}

    await eventually(are_counted, "the post of the late transaction and those that came meanwhile")
    await slow.close()


async def test_a_transaction_that_stays_open_holds_nothing_up_for_long(
    pool: asyncpg.Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "SETTLED_AFTER", timedelta(seconds=0.1))
    monkeypatch.setattr(queries, "SETTLED_AT_LAST", timedelta(seconds=0.5))
    backup = await asyncpg.connect(database_url)
    async with backup.transaction():
        began = await backup.fetchval("SELECT now()")

        async def goes_on() -> bool:
            async with pool.acquire() as held:
                return bool(await queries.settled_before(held) > began)

        await eventually(goes_on, "the bound passes the open transaction")
    await backup.close()


async def test_after_a_time_without_us_only_what_a_window_reaches_is_read(pool: asyncpg.Pool) -> None:
    rule = await add(pool, keyword="text", window_minutes=30)
    await store_posts(pool, 4, "negative", age=timedelta(hours=3))
    await store_posts(pool, 3, "negative", age=timedelta(minutes=20))
    assert await KeywordWatch(pool).run_once() == 3
    assert await counted(pool) == {rule.id: (3, 3)}


async def test_counts_that_no_window_reaches_are_forgotten(pool: asyncpg.Pool) -> None:
    await add(pool, keyword="text")
    await store_posts(pool, 1, "negative")
    await KeywordWatch(pool).run_once()
    await later(pool, 26 * 60)
    await KeywordWatch(pool).run_once()
    assert await counted(pool) == {}


async def test_a_new_rule_does_not_count_what_was_before_it(pool: asyncpg.Pool) -> None:
    await store_posts(pool, 5, "negative")
    await KeywordWatch(pool).run_once()  # there are no rules yet
    await add(pool, keyword="text", counted_from_now=True)
    assert await KeywordWatch(pool).run_once() == 0


async def test_of_many_processes_at_once_one_raises(pool: asyncpg.Pool, watch: AlertWatch) -> None:
    await add(pool)
    await add(pool, name="keyword", keyword="text")
    await store_posts(pool, 20, "negative")
    changes = await asyncio.gather(*(turn(watch) for _ in range(8)))
    while not any(("raised", "keyword") in some for some in changes):
        changes.append(await turn(watch))
    assert sorted(change for some in changes for change in some) == [("raised", "keyword"), ("raised", "ratio")]


async def test_a_preview_is_what_the_rule_would_have_done(pool: asyncpg.Pool, watch: AlertWatch) -> None:
    """Played again, minute after minute, it raises as often."""
    chance = [(9, 1), (1, 9), (9, 1), (2, 8), (10, 0)]
    for number, (negative, positive) in enumerate(chance):
        age = timedelta(minutes=5 + 9 * number)
        await store_posts(pool, negative, "negative", age=age)
        await store_posts(pool, positive, "positive", age=age)
    rule = replace(RATIO, window_minutes=2, min_posts=5)
    found = await preview(pool, rule)
    assert found.raised == 3
    assert max(window.ratio for window in found.windows) == 1.0
    assert len(found.windows) in (288, 289)
    await later(pool, 60)
    assert (await preview(pool, rule)).raised == 3
    assert (await preview(pool, replace(rule, source="nobody"))).raised == 0
    assert (await preview(pool, replace(rule, kind="volume", threshold=9.5))).raised == 5


# --- over HTTP ------------------------------------------------------------------------------------------------------


async def test_rules_are_evaluated_while_redis_is_away(pool: asyncpg.Pool) -> None:
    async with open_redis("redis://127.0.0.1:1/0") as away:
        watch = AlertWatch(pool, away, BUILT_IN)
        await add(pool)
        await store_posts(pool, 20, "negative", age=timedelta(minutes=2))
        with pytest.raises(Exception, match="Redis"):
            await watch.run_once()
    assert await pool.fetchval("SELECT count(*) FROM sentiment_alerts WHERE rule_id > 0") == 1
