"""`/api/sentiment/totals`, `/api/emotions/aggregate` and `/api/sources` on a real database, and by recounting."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.api.queries.emotions import read_emotions
from services.api.queries.windows import LISTED_SOURCES, read_sources, read_totals
from services.api.schemas.counts import EmotionAggregate
from services.api.time_range import TimeRange
from services.common.moments import DAY, HOUR, MINUTE, TEN_MINUTES, floor
from services.common.settings import Settings
from tests.integration.test_api_recount import Row, labels, rows
from tests.integration.test_api_server import Api, relayed, running_api
from tests.rows import count_again, insert

__all__ = ["rows"]  # a fixture


def in_window(rows: list[Row], start: datetime, end: datetime, source: str | None = None) -> list[Row]:
    return [row for row in rows if start <= row.ingested_at < end and source in (None, row.source)]


@pytest.mark.parametrize("source", [None, "a", "nobody"])
@pytest.mark.parametrize("minutes", [60, 90, 5 * 60, 1_440, 10_080])
async def test_totals_are_a_recount_of_both_windows(
    rows: list[Row], pool: asyncpg.Pool, minutes: int, source: str | None
) -> None:
    totals = await read_totals(pool, minutes, source)
    assert totals.current.since == totals.previous.until
    for window in (totals.current, totals.previous):
        assert window.until - window.since == minutes * MINUTE
        expected = in_window(rows, window.since, window.until, source)
        assert {label: getattr(window, label) for label in labels([])} == labels(expected)
        assert window.total == len(expected)


async def test_a_post_of_a_minute_that_the_edge_cuts_is_in_one_window(
    database: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    """Posts a second apart, over both ends of the windows: each in the window that its own time says."""
    now = datetime.now(UTC)
    for edge in (5 * MINUTE, 10 * MINUTE):
        for second in range(-90, 90, 3):
            at = now - edge + timedelta(seconds=second)
            await insert(database, f"{edge}-{second}", ingested_at=at, counted=False)
    await count_again(database)
    totals = await read_totals(pool, 5, None)
    for window in (totals.current, totals.previous):
        expected = await database.fetchval(
            "SELECT count(*) FROM social_media_posts WHERE ingested_at >= $1 AND ingested_at < $2",
            window.since,
            window.until,
        )
        assert window.total == expected > 0


async def test_sources_are_a_recount(rows: list[Row], pool: asyncpg.Pool) -> None:
    for minutes in (60, 1_440, 10_080):
        answer = await read_sources(pool, minutes)
        now = datetime.now(UTC)
        expected = in_window(rows, now - minutes * MINUTE, now)
        assert {each.source: each.total for each in answer.sources} == Counter(row.source for row in expected)
        assert [each.total for each in answer.sources] == sorted((each.total for each in answer.sources), reverse=True)
        for each in answer.sources:
            own = [row for row in expected if row.source == each.source]
            assert each.model_dump(include=set(labels(own))) == labels(own)
        assert (answer.total, answer.others) == (len(expected), None)


async def test_emotions_of_every_width_are_a_recount(rows: list[Row], pool: asyncpg.Pool) -> None:
    chance = random.Random(3)
    now = datetime.now(UTC)
    for _ in range(20):
        width = chance.choice((MINUTE, TEN_MINUTES, HOUR, DAY))
        start = floor(now - chance.random() * min(10 * DAY, 900 * width), width)
        end = start + chance.random() * (now + HOUR - start)
        source = chance.choice((None, "a", "b"))
        own = in_window(rows, start, end, source)
        emotions, buckets = await read_emotions(pool, TimeRange(start, end, width), source)
        counted = Counter(row.emotion for row in own if row.emotion)
        assert emotions == sorted(counted, key=lambda name: (-counted[name], name))
        for bucket in buckets:
            expected = in_window(own, bucket.timestamp, bucket.timestamp + width)
            by_emotion = Counter(row.emotion for row in expected)
            assert bucket.counts == [by_emotion[emotion] for emotion in emotions]
            assert bucket.total == len(expected)


async def test_the_answers_have_the_shape_that_the_document_promises(api: Api, database: asyncpg.Connection) -> None:
    now = datetime.now(UTC)
    await insert(database, "1", source="a", label="positive", emotion="joy", ingested_at=now - MINUTE)
    await insert(database, "2", source="b", label="negative", emotion=None, ingested_at=now - MINUTE)
    await insert(database, "3", source="b", label="negative", emotion="anger", ingested_at=now - 70 * MINUTE)
    totals = await api.get("/api/sentiment/totals")
    assert (totals["minutes"], totals["source"]) == (60, None)
    assert (totals["current"]["positive"], totals["current"]["negative"], totals["current"]["total"]) == (1, 1, 2)
    assert (totals["previous"]["negative"], totals["previous"]["total"]) == (1, 1)
    assert totals["change"] == {
        "total_percent": 100,
        "positive_points": 50,
        "neutral_points": 0,
        "negative_points": -50,
    }
    assert (await api.get("/api/sentiment/totals", source="a"))["change"]["total_percent"] is None
    answer = await api.get("/api/sources")
    assert answer["sources"] == [
        {"source": "a", "total": 1, "positive": 1, "neutral": 0, "negative": 0, "share": 50},
        {"source": "b", "total": 1, "positive": 0, "neutral": 0, "negative": 1, "share": 50},
    ]
    emotions = await api.get("/api/emotions/aggregate", period="ten_minute", start_date=(now - 2 * HOUR).isoformat())
    assert EmotionAggregate.model_validate(emotions, extra="forbid").model_dump(mode="json") == emotions
    assert emotions["emotions"] == ["anger", "joy"]
    assert [sum(column) for column in zip(*(each["counts"] for each in emotions["data"]), strict=True)] == [1, 1]
    assert sum(each["total"] for each in emotions["data"]) == 3


async def test_sources_beyond_the_list_are_told_in_sum(api: Api, database: asyncpg.Connection) -> None:
    for number in range(LISTED_SOURCES + 3):
        await insert(database, f"p{number}", source=f"s{number:02}", counted=False)
    await count_again(database)
    answer = await api.get("/api/sources")
    assert len(answer["sources"]) == LISTED_SOURCES
    assert answer["others"] == {"sources": 3, "total": 3, "positive": 3, "neutral": 0, "negative": 0, "share": 5.66}


@pytest.mark.parametrize("path", ["/api/sentiment/totals", "/api/sources"])
@pytest.mark.parametrize("minutes", ["4", "10081", "x"])
async def test_a_window_that_is_not_usable_is_refused(api: Api, path: str, minutes: str) -> None:
    answer = await api.http.get(path, params={"minutes": minutes})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("minutes: ")


async def test_they_are_kept_for_when_the_database_is_away(settings: Settings, database: asyncpg.Connection) -> None:
    await insert(database, "p")
    paths = ("/api/sentiment/totals", "/api/sources", "/api/emotions/aggregate")
    async with relayed(settings.database_url) as relay:
        await relay.open()
        async with running_api(settings.model_copy(update={"database_url": relay.url})) as api:
            fresh = {path: await api.http.get(path) for path in paths}
            assert all("x-undertone-stale" not in answer.headers for answer in fresh.values())
            await relay.cut()
            await api.becomes("unhealthy")
            for path in paths:
                answer = await api.http.get(path)
                assert (answer.status_code, answer.json()) == (200, fresh[path].json())
            refused = await api.http.get("/api/sources", params={"minutes": 5})
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
