"""Clients as they were written for the older systems: each reads what it always read, by the names that it knows.

Three of them, for the three dialects of `new_post`; none looks at what it does not know. They talk to the real server.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import pytest
from websockets.asyncio.client import ClientConnection, connect

from services.api.feed import route as live
from services.common.messages import AlertMessage, ResultsMessage
from services.common.settings import Settings
from services.common.streams import open_redis
from tests.integration.test_api_live import publish
from tests.integration.test_api_server import Api, running_api
from tests.rows import insert
from tests.unit.api.analysed import analysed_posts

Frame = Mapping[str, Any]
# What an older system wrote as a row of sentiment_alerts.
ALERT = {
    "id": 7,
    "alert_type": "high_negative_ratio",
    "threshold_value": 0.5,
    "actual_value": 0.75,
    "window_start": "2026-01-01T00:00:00Z",
    "window_end": "2026-01-01T00:05:00Z",
    "post_count": 12,
    "triggered_at": "2026-01-01T00:05:00Z",
    "details": {"negative": 9, "total": 12},
}


@dataclass(frozen=True)
class Shown:
    """What a client makes of a post."""

    post_id: str
    text: str
    source: str
    author: str
    written_at: datetime
    label: str
    confidence: float
    emotion: str


def flat(data: Mapping[str, Any]) -> Shown:
    """The first dialect: everything side by side, and the time of the analysis as `timestamp`."""
    datetime.fromisoformat(data["timestamp"])
    return _shown(data, data["sentiment_label"], data["confidence_score"], data["emotion"])


def nested(data: Mapping[str, Any]) -> Shown:
    """The second: `sentiment` as in the answers of REST."""
    sentiment = data["sentiment"]
    assert isinstance(sentiment["model_name"], str)
    return _shown(data, sentiment["label"], sentiment["confidence"], sentiment["emotion"])


def nested_by_its_long_name(data: Mapping[str, Any]) -> Shown:
    """The third: nested, with the label's name of the table."""
    sentiment = data["sentiment"]
    return _shown(data, sentiment["sentiment_label"], sentiment["confidence"], sentiment["emotion"])


def _shown(data: Mapping[str, Any], label: str, confidence: float, emotion: str) -> Shown:
    written_at = datetime.fromisoformat(data["created_at"])
    return Shown(
        data["post_id"], data["content"], data["source"], data["author"], written_at, label, confidence, emotion
    )


class OlderClient:
    """Reads the feed as a page of an older system did: a `switch` over the type passes over what it does not know."""

    def __init__(self, read_post: Callable[[Mapping[str, Any]], Shown]) -> None:
        self._read_post = read_post
        self.greeted = False
        self.posts: list[Shown] = []
        self.counts: dict[str, dict[str, int]] = {}
        self.alerts: list[tuple[str, float, float]] = []
        self.pings = 0

    def receive(self, frame: Frame) -> None:
        match frame["type"]:
            case "connected":
                assert not self.posts, "the greeting comes first"
                assert frame["message"] == "Connected to sentiment stream"
                datetime.fromisoformat(frame["timestamp"])
                self.greeted = True
            case "new_post":
                self.posts.append(self._read_post(frame["data"]))
            case "metrics_update":
                datetime.fromisoformat(frame["timestamp"])
                for window in ("last_minute", "last_hour", "last_24_hours"):
                    counts = frame["data"][window]
                    self.counts[window] = {name: counts[name] for name in ("positive", "negative", "neutral", "total")}
            case "alert":
                row = frame["data"]
                datetime.fromisoformat(row["triggered_at"])
                self.alerts.append((row["alert_type"], row["actual_value"], row["threshold_value"]))
            case "ping":
                self.pings += 1

    @property
    def has_seen_everything(self) -> bool:
        return bool(self.greeted and len(self.posts) >= 2 and self.counts and self.alerts and self.pings)


async def follow(browser: ClientConnection, client: OlderClient) -> None:
    async with asyncio.timeout(60):
        while not client.has_seen_everything:
            frame = json.loads(await browser.recv())
            client.receive(frame)
            if frame["type"] == "ping":
                await browser.send('{"type":"pong"}')


@pytest.mark.parametrize("dialect", [flat, nested, nested_by_its_long_name])
async def test_a_client_of_each_dialect_understands_every_message(
    settings: Settings,
    redis_url: str,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    dialect: Callable[[Mapping[str, Any]], Shown],
) -> None:
    monkeypatch.setattr(live, "IDLE_PING_S", 0.2)
    await insert(database, "stored", label="negative")
    posts = analysed_posts(2)
    client = OlderClient(dialect)
    async with running_api(settings) as api, open_redis(redis_url) as redis, connect(api.live_url) as browser:
        client.receive(json.loads(await browser.recv()))
        await publish(redis, ResultsMessage(posts=posts))
        await publish(redis, AlertMessage(change="raised", alert=ALERT))
        await follow(browser, client)
    assert client.posts == [
        Shown(
            analysed.post.post_id,
            analysed.post.content,
            analysed.post.source,
            analysed.post.author,
            analysed.post.created_at,
            analysed.analysis.sentiment_label,
            analysed.analysis.confidence,
            analysed.analysis.emotion,
        )
        for analysed in posts
    ]
    assert client.counts["last_24_hours"] == {"positive": 0, "negative": 1, "neutral": 0, "total": 1}
    assert client.alerts == [("high_negative_ratio", 0.75, 0.5)]


def has(answer: Mapping[str, Any], names: str) -> None:
    """The answer has these names, whatever else it has."""
    assert set(names.split()) <= set(answer), set(names.split()) - set(answer)


async def test_the_names_of_the_rest_answers_are_those_of_the_contract(api: Api, database: asyncpg.Connection) -> None:
    await insert(database, "stored", label="negative")
    await database.execute(
        """INSERT INTO sentiment_alerts (alert_type, threshold_value, actual_value, window_start, window_end,
                                         post_count, triggered_at, details)
           VALUES ('high_negative_ratio', 0.5, 0.75, now(), now(), 12, now(), '{}')"""
    )
    health = await api.health()
    has(health, "status timestamp services stats")
    assert health["status"] in ("healthy", "degraded", "unhealthy")
    has(health["services"], "database redis triton")
    assert set(health["services"].values()) <= {"connected", "disconnected"}
    has(health["stats"], "total_posts total_analyses recent_posts_1h")

    page = await api.get("/api/posts", limit=50, offset=0)
    has(page, "posts total limit offset filters next_cursor")
    (post,) = page["posts"]
    has(post, "post_id source content author created_at sentiment")
    has(post["sentiment"], "label confidence emotion model_name")
    filtered = await api.get("/api/posts", source="test", sentiment="negative", emotion="joy", search="text")
    assert [post["post_id"] for post in filtered["posts"]] == ["stored"]
    dated = await api.get("/api/posts", start_date="2025-12-31", end_date="2026-01-02T00:00:00Z")
    assert dated["total"] == 1

    for period in ("minute", "hour", "day"):
        aggregate = await api.get("/api/sentiment/aggregate", period=period)
        has(aggregate, "period start_date end_date data summary")
        has(aggregate["summary"], "total_posts positive_total negative_total neutral_total")
        for bucket in aggregate["data"]:
            has(bucket, "timestamp positive_count negative_count neutral_count total_count average_confidence")
            has(bucket, "positive_percentage negative_percentage neutral_percentage")

    distribution = await api.get("/api/sentiment/distribution", hours=24, source="test")
    has(distribution, "timeframe_hours source distribution total percentages top_emotions cached cached_at")
    has(distribution["distribution"], "positive negative neutral")
    has(distribution["percentages"], "positive negative neutral")

    alerts = await api.get("/api/alerts", limit=10, offset=0, alert_type="high_negative_ratio")
    has(alerts, "alerts total limit offset")
    (alert,) = alerts["alerts"]
    has(alert, "id alert_type threshold_value actual_value window_start window_end post_count triggered_at details")
    # A sentence under `detail`, as such clients show it.
    refusal = (await api.http.get("/api/posts?limit=1000")).json()
    assert refusal["detail"].startswith("limit: ")
