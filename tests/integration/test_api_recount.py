"""What the API answers is what one gets by counting every post, whichever roll-ups the answer was made of."""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.api.queries import find as bounds
from services.api.queries.alerts import read_window
from services.api.queries.sentiment import read_buckets, read_distribution
from services.api.queries.totals import count_windows, read_stats
from services.common.moments import DAY, HOUR, MINUTE, TEN_MINUTES, floor
from services.worker.upkeep.closing import close_buckets
from services.worker.upkeep.search_index import index_words
from tests.integration.test_api_server import Api
from tests.rows import count_again, insert

WORDS = ("coffee", "Kaffee", "train", "TRAIN", "naïve", "ok", "😂", "a_b", "100%")


@dataclass(frozen=True)
class Row:
    post_id: str
    source: str
    label: str
    emotion: str | None
    content: str
    created_at: datetime
    ingested_at: datetime
    confidence: float


async def insert_rows(database: asyncpg.Connection, count: int, seed: int) -> list[Row]:
    """Posts of the last nine days, many of them around the edges of the windows; newest first."""
    chance = random.Random(seed)
    now = datetime.now(UTC)
    edges = (timedelta(), 2 * MINUTE, HOUR, 5 * HOUR, DAY, 2 * DAY, 7 * DAY, 9 * DAY)
    rows = []
    for number in range(count):
        edge = chance.choice(edges)
        # On either side of the edge, but so far from it that no test runs into it.
        seconds = chance.choice((chance.uniform(5, 90), -chance.uniform(35, 58))) if edge else chance.uniform(5, 90)
        age = edge + seconds * timedelta(seconds=1)
        rows.append(
            Row(
                post_id=f"p{number}",
                source=chance.choice(("a", "a", "a", "b", "rare") if number % 9 == 0 else ("a", "b")),
                label=chance.choice(("positive", "negative", "neutral")),
                emotion=chance.choice(("joy", "Anger", None)),
                content=" ".join(chance.choices(WORDS, k=4)),
                created_at=now - chance.choice((0.5, 1, 3, 400)) * DAY - chance.random() * DAY,
                ingested_at=now - age,
                confidence=chance.random(),
            )
        )
    async with database.transaction():
        for row in rows:
            await insert(
                database,
                row.post_id,
                source=row.source,
                label=row.label,
                emotion=row.emotion,
                content=row.content,
                created_at=row.created_at,
                ingested_at=row.ingested_at,
                confidence=row.confidence,
                counted=False,
            )
    await count_again(database)
    return sorted(rows, key=lambda row: row.ingested_at, reverse=True)


@pytest.fixture(params=["minutes only", "all of them"])
async def rows(database: asyncpg.Connection, request: pytest.FixtureRequest) -> list[Row]:
    """Posts, with hours, days and indexes derived or not."""
    made = await insert_rows(database, 150, seed=4)
    if request.param == "all of them":
        await close_buckets(database)
        await index_words(database)
        assert await database.fetchval("SELECT count(*) FROM sentiment_days") > 3
    return made


def labels(rows: list[Row]) -> dict[str, int]:
    counted = Counter(row.label for row in rows)
    return {label: counted[label] for label in ("positive", "negative", "neutral")}


async def test_windows_stats_and_the_alert_rule(rows: list[Row], pool: asyncpg.Pool) -> None:
    """No post lies within five seconds of an edge, so that the time the test takes changes nothing."""

    def last(length: timedelta) -> list[Row]:
        return [row for row in rows if row.ingested_at > datetime.now(UTC) - length]

    lengths = {"last_minute": MINUTE, "last_hour": HOUR, "last_24_hours": DAY}
    for name, counts in (await count_windows(pool)).items():
        if name != "last_minute":  # posts of its edge come and go while the test runs
            assert counts == labels(last(lengths[name])) | {"total": len(last(lengths[name]))}
    stats = await read_stats(pool)
    assert (stats.total_posts, stats.total_analyses, stats.recent_posts_1h) == (150, 150, len(last(HOUR)))
    async with pool.acquire() as held:
        for minutes in (60, 5 * 60, 1_440):
            window = await read_window(held, minutes)
            expected = last(minutes * MINUTE)
            assert (window.matching, window.total) == (labels(expected)["negative"], len(expected))


@pytest.mark.parametrize("source", [None, "a", "nobody"])
@pytest.mark.parametrize("hours", [1, 24, 48, 168])
async def test_the_distribution(rows: list[Row], pool: asyncpg.Pool, hours: int, source: str | None) -> None:
    expected = [
        row for row in rows if row.ingested_at > datetime.now(UTC) - hours * HOUR and source in (None, row.source)
    ]
    counts, total, _, emotions = await read_distribution(pool, hours, source)
    assert counts.model_dump() == labels(expected)
    assert total == len(expected)
    assert emotions == Counter(row.emotion for row in expected if row.emotion)


async def test_buckets_of_every_width_and_any_range(rows: list[Row], pool: asyncpg.Pool) -> None:
    chance = random.Random(8)
    now = datetime.now(UTC)
    for _ in range(25):
        width = chance.choice((MINUTE, TEN_MINUTES, HOUR, DAY))
        start = floor(now - chance.random() * min(10 * DAY, 900 * width), width)
        end = start + chance.random() * (now + HOUR - start)
        source = chance.choice((None, "a", "b"))
        expected = Counter(
            (floor(row.ingested_at, width), row.label)
            for row in rows
            if start <= row.ingested_at < end and source in (None, row.source)
        )
        buckets = await read_buckets(pool, start, end, width, source)
        found = {
            (bucket.timestamp, label): count
            for bucket in buckets
            for label, count in (
                ("positive", bucket.positive_count),
                ("negative", bucket.negative_count),
                ("neutral", bucket.neutral_count),
            )
            if count
        }
        assert found == dict(expected)
        for bucket in buckets:
            own = [
                row.confidence
                for row in rows
                if bucket.timestamp <= row.ingested_at < min(bucket.timestamp + width, end)
                and source in (None, row.source)
            ]
            assert bucket.average_confidence == pytest.approx(sum(own) / len(own) if own else 0, abs=1e-4)


FILTERS: list[dict[str, str]] = [
    {},
    {"source": "b"},
    {"source": "rare"},
    {"source": "nobody"},
    {"sentiment": "negative"},
    {"emotion": "anger"},
    {"emotion": "none"},
    {"source": "a", "sentiment": "neutral", "emotion": "JOY"},
    {"search": "train"},
    {"search": "KAFFEE"},
    {"search": "rain 100"},
    {"search": "ïve"},
    {"search": "ok"},
    {"search": "😂"},
    {"search": "%"},
    {"search": "a_b"},
    {"search": "nowhere"},
    {"search": "coffee", "source": "b", "sentiment": "positive", "emotion": "joy"},
    {"search": "ok", "emotion": "joy", "dated": "3"},
    {"dated": "1"},
    {"dated": "3", "source": "a"},
    {"dated": "3", "search": "train", "sentiment": "negative"},
    {"dated": "500"},
    {"dated": "0"},
    {"min_confidence": "0.4", "max_confidence": "0.6"},
    {"min_confidence": "0.9", "source": "a"},
    {"max_confidence": "0.3", "sentiment": "negative", "emotion": "joy"},
    {"min_confidence": "0.5", "search": "train"},
    {"max_confidence": "0.5", "search": "naïve", "dated": "1"},
    {"min_confidence": "1"},
]


def passes(row: Row, filters: dict[str, str], since: datetime | None, until: datetime | None) -> bool:
    return (
        filters.get("source") in (None, row.source)
        and filters.get("sentiment") in (None, row.label)
        and filters.get("emotion", "").lower() in ("", (row.emotion or "").lower())
        and filters.get("search", "").lower() in row.content.lower()
        and (since is None or row.created_at >= since)
        and (until is None or row.created_at < until)
        and float(filters.get("min_confidence", 0)) <= row.confidence <= float(filters.get("max_confidence", 1))
    )


@pytest.mark.parametrize("examined", [20_000, 17])
async def test_pages_hold_every_post_that_passes_once_in_order(
    rows: list[Row], api: Api, monkeypatch: pytest.MonkeyPatch, examined: int
) -> None:
    """Over ten partitions, with every filter, also where a request may look at few posts only."""
    monkeypatch.setattr(bounds, "EXAMINED_POSTS", examined)
    monkeypatch.setattr(bounds, "FIRST_LOOK_POSTS", 2)
    monkeypatch.setattr(bounds, "SAMPLE_POSTS", 10)
    for patience in ("PATIENCE_S", "COUNTING_PATIENCE_S"):
        monkeypatch.setattr(bounds, patience, 0.0 if examined == 17 else 60.0)
    now = datetime.now(UTC)
    for filters in FILTERS:
        params: dict[str, str | int] = {name: value for name, value in filters.items() if name != "dated"}
        since = until = None
        if "dated" in filters:
            since, until = now - (float(filters["dated"]) + 1) * DAY, now - float(filters["dated"]) * DAY
            params |= {"start_date": since.isoformat(), "end_date": until.isoformat()}
        expected = [row.post_id for row in rows if passes(row, filters, since, until)]
        seen: list[str] = []
        params["limit"] = 20
        while True:
            page = await api.get("/api/posts", **params)
            seen += [post["post_id"] for post in page["posts"]]
            if page["total_is_exact"]:
                assert page["total"] == len(expected), filters
            else:
                assert page["total"] <= len(expected), filters
                assert examined == 17, filters
            if page["next_cursor"] is None:
                break
            params["cursor"] = page["next_cursor"]
        assert seen == expected, filters


async def test_the_index_of_words_is_used_where_it_is(
    rows: list[Row], api: Api, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With it a page is full that would otherwise need more posts than a request may look at."""
    monkeypatch.setattr(bounds, "EXAMINED_POSTS", 7)
    indexed = await database.fetchval("SELECT EXISTS (SELECT FROM pg_indexes WHERE indexname ~ '_search$')")
    page = await api.get("/api/posts", search="naïve", limit=10)
    assert (len(page["posts"]) == 10) is indexed


async def test_a_long_way_is_gone_by_cursor(api: Api) -> None:
    answer = await api.http.get("/api/posts", params={"offset": 10_001})
    assert answer.status_code == 422
    assert "cursor" in answer.json()["detail"]
    assert (await api.get("/api/posts", offset=10_000))["posts"] == []
