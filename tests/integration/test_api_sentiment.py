"""`/api/sentiment/…` and `/api/health`'s numbers on a real database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from services.api.schemas.general import Aggregate
from tests.integration.test_api_server import Api
from tests.rows import insert

HOUR = timedelta(hours=1)
START = datetime(2026, 1, 1, 10, tzinfo=UTC)


async def store_some(database: asyncpg.Connection) -> None:
    """Three in the first hour, none in the second, one in the third; written long before they were ingested."""
    old = datetime(2020, 1, 1, tzinfo=UTC)
    for number, (offset, label, source, confidence) in enumerate(
        [
            (0 * HOUR, "negative", "a", 0.6),
            (HOUR / 2, "positive", "a", 0.8),
            (HOUR - timedelta(microseconds=1), "negative", "b", 1.0),
            (2 * HOUR, "neutral", "b", 0.5),
        ]
    ):
        await insert(
            database,
            f"p{number}",
            created_at=old,
            ingested_at=START + offset,
            label=label,
            source=source,
            confidence=confidence,
        )


async def test_buckets_follow_ingestion_and_empty_ones_are_zeros(api: Api, database: asyncpg.Connection) -> None:
    await store_some(database)
    answer = await api.get(
        "/api/sentiment/aggregate", start_date="2026-01-01T10:20:00", end_date="2026-01-01T14:00:00", period="hour"
    )
    assert (answer["start_date"], answer["end_date"]) == ("2026-01-01T10:00:00Z", "2026-01-01T14:00:00Z")
    assert Aggregate.model_validate(answer, extra="forbid").model_dump(mode="json") == answer
    first, second, third, fourth = answer["data"]
    assert first == {
        "timestamp": "2026-01-01T10:00:00Z",
        "positive_count": 1,
        "negative_count": 2,
        "neutral_count": 0,
        "total_count": 3,
        "positive_percentage": 33.33,
        "negative_percentage": 66.67,
        "neutral_percentage": 0,
        "average_confidence": 0.8,
    }
    assert second["total_count"] == second["negative_percentage"] == second["average_confidence"] == 0
    assert (third["neutral_count"], third["neutral_percentage"], fourth["total_count"]) == (1, 100, 0)
    assert answer["summary"] == {"total_posts": 4, "positive_total": 1, "negative_total": 2, "neutral_total": 1}


@pytest.mark.parametrize(("period", "count"), [("minute", 61), ("ten_minute", 37), ("hour", 25), ("day", 31)])
async def test_without_dates_it_is_the_recent_past(
    api: Api, database: asyncpg.Connection, period: str, count: int
) -> None:
    await insert(database, "p")
    answer = await api.get("/api/sentiment/aggregate", period=period)
    assert len(answer["data"]) in (count - 1, count)  # one less in the very moment when a bucket begins
    assert answer["summary"]["total_posts"] == 1


async def test_buckets_of_one_source(api: Api, database: asyncpg.Connection) -> None:
    await store_some(database)
    answer = await api.get(
        "/api/sentiment/aggregate", start_date=START.isoformat(), end_date=(START + HOUR).isoformat(), source="b"
    )
    assert answer["summary"]["total_posts"] == 1


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"period": "week"}, "period: "),
        ({"period": "minute", "start_date": "2026-01-01", "end_date": "2026-01-03"}, "start_date: 2,880 buckets"),
        ({"start_date": "2026-01-02", "end_date": "2026-01-01"}, "start_date: must be before"),
    ],
)
async def test_a_range_that_is_not_usable_is_refused(api: Api, params: dict[str, str], reason: str) -> None:
    answer = await api.http.get("/api/sentiment/aggregate", params=params)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(reason)


async def test_the_distribution_counts_recent_posts_and_is_kept_for_moments(
    api: Api, database: asyncpg.Connection
) -> None:
    now = datetime.now(UTC)
    rows: list[tuple[str, str, str, timedelta]] = [
        ("negative", "anger", "a", 0 * HOUR),
        ("negative", "anger", "b", 0 * HOUR),
        ("positive", "joy", "a", HOUR),
        ("neutral", "zeal", "a", 3 * HOUR),
        ("neutral", "joy", "a", 200 * HOUR),
    ]
    for number, (label, emotion, source, age) in enumerate(rows):
        await insert(database, f"p{number}", label=label, emotion=emotion, source=source, ingested_at=now - age)
    answer: dict[str, Any] = await api.get("/api/sentiment/distribution", hours=2)
    assert answer.pop("cached_at")
    assert answer == {
        "timeframe_hours": 2,
        "source": None,
        "distribution": {"positive": 1, "negative": 2, "neutral": 0},
        "total": 3,
        "percentages": {"positive": 33.33, "negative": 66.67, "neutral": 0},
        "top_emotions": {"anger": 2, "joy": 1},
        "cached": False,
    }
    assert list(answer["top_emotions"]) == ["anger", "joy"]
    assert (await api.get("/api/sentiment/distribution", hours=2))["cached"] is True
    of_a = await api.get("/api/sentiment/distribution", source="a")
    assert (of_a["cached"], of_a["total"]) == (False, 3)
    assert (await api.get("/api/sentiment/distribution", source="nobody"))["percentages"]["positive"] == 0


async def test_health_counts_exactly(api: Api, database: asyncpg.Connection) -> None:
    await store_some(database)
    await insert(database, "now")
    answer = await api.health()
    assert answer["status"] == "healthy"
    assert answer["services"] == {"database": "connected", "redis": "connected", "triton": "connected"}
    assert answer["stats"] == {"total_posts": 5, "total_analyses": 5, "recent_posts_1h": 1}
    assert (await api.http.head("/api/health")).status_code == 200


@pytest.mark.parametrize("year", ["1900", "2248", "2300", "9899"])
async def test_a_time_in_which_nothing_was_or_can_be_ingested_has_no_posts(
    api: Api, database: asyncpg.Connection, year: str
) -> None:
    """Neither end is a whole minute: there the posts themselves are looked at, by ids that hold times up to 2248."""
    await insert(database, "p")
    span = {"start_date": f"{year}-12-31T01:00:00.5Z", "end_date": f"{year}-12-31T03:00:00.5Z"}
    answer = await api.get("/api/sentiment/aggregate", period="minute", **span)
    assert len(answer["data"]) == 121
    assert answer["summary"]["total_posts"] == 0
