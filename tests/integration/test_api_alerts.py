"""The alert rule against a real database: however many processes evaluate it, an alert is raised once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import redis.asyncio

from services.api.alerting.rule import Rule
from services.api.alerting.watch import AlertWatch
from services.api.queries import alerts as queries
from services.api.queries.alert_list import read_alerts
from services.common.errors import Transient
from services.common.messages import AlertMessage, decode_message
from services.common.settings import Settings
from services.common.streams import RESULTS_CHANNEL, open_redis
from services.worker.store import store
from tests.integration.test_api_server import relayed, running_api
from tests.integration.test_store import analysed
from tests.posts import make_posts
from tests.rows import count_again, insert, make_older
from tests.waiting import eventually

RULE = Rule(threshold=0.5, window_minutes=5, min_posts=10)


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[redis.asyncio.Redis]:
    async with open_redis(redis_url) as client:
        yield client


async def store_posts(pool: asyncpg.Pool, negative: int, positive: int, age: timedelta = timedelta()) -> None:
    async with pool.acquire() as held:
        stored = await held.fetchval("SELECT count(*) FROM social_media_posts")
        for number in range(negative + positive):
            label = "negative" if number < negative else "positive"
            moment = datetime.now(UTC) - age
            await insert(held, f"p{stored + number}", label=label, ingested_at=moment, counted=False)
        await count_again(held)


async def later(pool: asyncpg.Pool, minutes: int) -> None:
    """Lets time pass: everything in the database becomes older."""
    async with pool.acquire() as held:
        step = timedelta(minutes=minutes)
        await make_older(held, step)
        await held.execute("UPDATE sentiment_alerts SET resolved_at = resolved_at - $1::interval", step)


async def change(watch: AlertWatch) -> str | None:
    message = await watch.evaluate()
    return message.change if message else None


async def test_posts_that_are_delivered_again_raise_no_alert(pool: asyncpg.Pool, client: redis.asyncio.Redis) -> None:
    """Nine negative posts are too few to say anything, however often they come; with one more they are not."""
    watch = AlertWatch(pool, client, RULE)
    posts = make_posts(RULE.min_posts)
    for _ in range(3):
        await store(pool, analysed(posts[:-1], "negative"), datetime.now(UTC))
        assert await change(watch) is None
    await store(pool, analysed(posts, "negative"), datetime.now(UTC))
    message = await watch.evaluate()
    assert message is not None
    assert (message.change, message.alert["post_count"]) == ("raised", RULE.min_posts)


async def test_an_alert_is_raised_once_holds_ends_and_rests(pool: asyncpg.Pool, client: redis.asyncio.Redis) -> None:
    watch = AlertWatch(pool, client, RULE)
    assert await change(watch) is None
    await store_posts(pool, negative=12, positive=8)
    assert await change(watch) == "raised"
    assert await change(watch) is None  # no second one while it is raised
    await store_posts(pool, negative=0, positive=5)  # 12 of 25: below the threshold, within the hysteresis
    assert await change(watch) is None
    await store_posts(pool, negative=0, positive=5)  # 12 of 30
    assert await change(watch) == "resolved"
    await store_posts(pool, negative=100, positive=0)
    assert await change(watch) is None  # it rests
    await later(pool, minutes=6)
    assert await change(watch) is None  # nothing in the window
    await store_posts(pool, negative=100, positive=0)
    assert await change(watch) == "raised"
    await later(pool, minutes=6)
    assert await change(watch) == "resolved"  # too few posts
    alerts, total = await read_alerts(pool, limit=10, offset=0, alert_type=None)
    assert total == 2
    assert all(alert.resolved_at for alert in alerts)


async def test_the_row_says_what_was_seen(pool: asyncpg.Pool, client: redis.asyncio.Redis) -> None:
    await store_posts(pool, negative=9, positive=3)
    await store_posts(pool, negative=50, positive=0, age=timedelta(minutes=6))  # outside the window
    await AlertWatch(pool, client, RULE).evaluate()
    ((alert,), _) = await read_alerts(pool, limit=10, offset=0, alert_type="high_negative_ratio")
    assert (alert.threshold_value, alert.actual_value, alert.post_count) == (0.5, 0.75, 12)
    assert alert.window_end - alert.window_start == timedelta(minutes=5)
    assert alert.details == {"negative": 9, "total": 12, "ratio": 0.75, "window_minutes": 5, "min_posts": 10}


async def test_of_many_processes_at_once_one_raises(pool: asyncpg.Pool, client: redis.asyncio.Redis) -> None:
    await store_posts(pool, negative=20, positive=0)
    watches = [AlertWatch(pool, client, RULE) for _ in range(8)]
    changes = await asyncio.gather(*(change(watch) for watch in watches for _ in range(3)))
    assert sorted(map(str, changes)) == ["None"] * 23 + ["raised"]


async def test_without_the_lock_the_index_still_admits_one_alert(
    pool: asyncpg.Pool, client: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def always(_held: object) -> bool:
        return True

    async def never_seen(_held: object, _alert_type: str) -> bool:
        return False

    monkeypatch.setattr(queries, "take_turn", always)
    monkeypatch.setattr(queries, "is_raised", never_seen)
    await store_posts(pool, negative=20, positive=0)
    changes = await asyncio.gather(*(change(AlertWatch(pool, client, RULE)) for _ in range(8)))
    assert sorted(map(str, changes)) == ["None"] * 7 + ["raised"]


async def test_a_process_that_dies_or_freezes_in_its_turn_hands_it_on(
    pool: asyncpg.Pool, client: redis.asyncio.Redis, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "FROZEN_AFTER_MS", 300)
    await store_posts(pool, negative=20, positive=0)
    frozen = await asyncpg.connect(database_url)
    turn = frozen.transaction()
    await turn.start()
    assert await queries.take_turn(frozen)  # type: ignore[arg-type] # a connection without a pool will do
    watch = AlertWatch(pool, client, RULE)
    assert await change(watch) is None

    async def raised() -> bool:
        return await change(watch) == "raised"

    await eventually(raised, "the turn of another process")
    frozen.terminate()


async def test_an_alert_is_announced_when_redis_is_back(pool: asyncpg.Pool, redis_url: str) -> None:
    await store_posts(pool, negative=20, positive=0)
    async with relayed(redis_url) as relay, open_redis(relay.url) as away, open_redis(redis_url) as there:
        watch = AlertWatch(pool, away, RULE)
        with pytest.raises(Transient):
            await watch.run_once()
        async with there.pubsub() as channel:
            await channel.subscribe(RESULTS_CHANNEL)
            assert await channel.get_message(timeout=5)
            await relay.open()
            await watch.run_once()
            await watch.run_once()  # nothing new, nothing said
            message = await channel.get_message(timeout=5)
            assert message is not None
            announced = decode_message(message["data"])
            assert isinstance(announced, AlertMessage)
            assert announced.change == "raised"
            assert announced.alert["post_count"] == 20
            assert await channel.get_message(timeout=0.1) is None


async def test_the_list_of_alerts(settings: Settings, pool: asyncpg.Pool, client: redis.asyncio.Redis) -> None:
    quick = settings.model_copy(update={"alert_interval_s": 0.05})
    async with running_api(quick) as api:
        await store_posts(pool, negative=20, positive=0)

        async def listed() -> list[dict[str, object]]:
            alerts: list[dict[str, object]] = (await api.get("/api/alerts"))["alerts"]
            return alerts

        (alert,) = await eventually(listed, "the alert")
        assert alert["alert_type"] == "high_negative_ratio"
        assert alert["resolved_at"] is None
        assert (await api.get("/api/alerts", alert_type="other"))["total"] == 0
        assert (await api.get("/api/alerts", offset=1))["alerts"] == []
        assert (await api.http.get("/api/alerts", params={"limit": 101})).status_code == 422


async def test_a_rule_that_cannot_be_evaluated_shows(settings: Settings, pool: asyncpg.Pool) -> None:
    quick = settings.model_copy(update={"alert_interval_s": 0.05})
    async with running_api(quick) as api, pool.acquire() as held:
        await api.becomes("healthy")
        await held.execute("ALTER TABLE sentiment_alerts RENAME TO hidden")
        await api.becomes("degraded")
        assert (await api.health())["problems"] == ["the alert rule is not being evaluated"]
        assert 'undertone_task_up{task="alerts"} 0.0' in (await api.http.get("/metrics")).text
        await held.execute("ALTER TABLE hidden RENAME TO sentiment_alerts")
        await api.becomes("healthy")
