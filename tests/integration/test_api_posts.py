"""`/api/posts` on a real database: every filter, and pages that neither repeat nor miss a post."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.api.queries import find as bounds
from tests.integration.test_api_server import Api
from tests.rows import count_again, insert

START = datetime(2026, 1, 1, tzinfo=UTC)
LABELS = ("positive", "negative", "neutral")
EMOTIONS = ("joy", "anger", None)


async def store_many(database: asyncpg.Connection, count: int) -> None:
    for i in range(count):
        await insert(
            database,
            f"p{i}",
            source=f"source{i % 2}",
            content=f"number {i}",
            created_at=START + timedelta(hours=i),
            label=LABELS[i % 3],
            emotion=EMOTIONS[i % 3],
            counted=False,
        )
    await count_again(database)


async def ids(api: Api, **params: str | int) -> list[str]:
    page = await api.get("/api/posts", **params)
    assert page["total"] == len(page["posts"])
    return [post["post_id"] for post in page["posts"]]


async def test_a_post_comes_whole(api: Api, database: asyncpg.Connection) -> None:
    await insert(database, "p", ingested_at=datetime(2026, 2, 3, 4, 5, 6, 789_000, tzinfo=UTC))
    page = await api.get("/api/posts", source="test")
    assert page["posts"] == [
        {
            "post_id": "p",
            "source": "test",
            "content": "text",
            "author": "me",
            "created_at": "2026-01-01T00:00:00Z",
            "ingested_at": "2026-02-03T04:05:06.789000Z",
            "sentiment": {
                "label": "positive",
                "confidence": 0.87,
                "emotion": "joy",
                "emotion_confidence": None,
                "model_name": "model",
                "model_version": 3,
            },
        }
    ]
    assert page["filters"]["source"] == "test"
    assert (page["total"], page["limit"], page["offset"], page["next_cursor"]) == (1, 50, 0, None)


async def test_every_filter_and_their_sum(api: Api, database: asyncpg.Connection) -> None:
    await store_many(database, 6)
    assert await ids(api) == ["p5", "p4", "p3", "p2", "p1", "p0"]
    assert await ids(api, source="source1") == ["p5", "p3", "p1"]
    assert await ids(api, sentiment="negative") == ["p4", "p1"]
    assert await ids(api, emotion="ANGER") == ["p4", "p1"]
    assert await ids(api, search="UMBER 3") == ["p3"]
    assert await ids(api, start_date="2026-01-01T04:00:00") == ["p5", "p4"]
    assert await ids(api, end_date="2026-01-01T03:00:00+02:00") == ["p0"]
    assert await ids(api, sentiment="negative", source="source1", search="number") == ["p1"]
    assert await ids(api, source="nobody") == []


async def test_wildcards_in_a_search_stand_for_themselves(api: Api, database: asyncpg.Connection) -> None:
    contents = ["100% sure", "100 sure", "snake_case", "snakeXcase", r"back\slash", "back/slash", "it's; --"]
    for number, content in enumerate(contents):
        await insert(database, f"p{number}", content=content)
    for search, found in (("100%", ["p0"]), ("e_c", ["p2"]), ("k\\s", ["p4"]), ("%", ["p0"]), ("'s; --", ["p6"])):
        assert await ids(api, search=search) == found


async def test_pages_by_cursor_neither_repeat_nor_miss_while_posts_arrive(
    api: Api, database: asyncpg.Connection
) -> None:
    await store_many(database, 7)
    seen: list[str] = []
    params: dict[str, str | int] = {"limit": 3}
    while True:
        page = await api.get("/api/posts", **params)
        seen += [post["post_id"] for post in page["posts"]]
        await insert(database, f"new{len(seen)}")
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert seen == [f"p{i}" for i in reversed(range(7))]


PAGED: list[dict[str, str | int]] = [
    {"source": "source1"},
    {"sentiment": "positive"},
    {"emotion": "joy"},
    {"search": "number"},
    {"search": "x"},
    {"start_date": "2026-01-01T03:00:00"},
    {"min_confidence": "0.5"},
    {"min_confidence": "0.5", "source": "source0", "sentiment": "positive", "search": "1"},
]


@pytest.mark.parametrize("examined", [20_000, 2])
@pytest.mark.parametrize("filters", PAGED)
async def test_with_any_filter_the_cursors_lead_to_each_post_once_while_others_arrive(
    api: Api,
    database: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    filters: dict[str, str | int],
    examined: int,
) -> None:
    """Posts that pass the filter too arrive between any two pages, also where a request looks at two posts only."""
    monkeypatch.setattr(bounds, "EXAMINED_POSTS", examined)
    await store_many(database, 24)
    expected = await ids(api, **filters, limit=100) if examined > 2 else None
    seen: list[str] = []
    params: dict[str, str | int] = {"limit": 3, **filters}
    arrivals = 0
    while True:
        page = await api.get("/api/posts", **params)
        seen += [post["post_id"] for post in page["posts"]]
        arrivals += 1
        await insert(
            database,
            f"new{arrivals}",
            source=f"source{arrivals % 2}",
            content="number x 1",
            created_at=datetime.now(UTC),
        )
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    if expected is None:
        monkeypatch.setattr(bounds, "EXAMINED_POSTS", 20_000)
        expected = [post for post in await ids(api, **filters, limit=100) if not post.startswith("new")]
    assert seen == expected
    assert arrivals > 1 or len(expected) <= 3


async def test_confidences_are_compared_as_they_are_shown(api: Api, database: asyncpg.Connection) -> None:
    """Stored in single precision, 0.7 is a little less than 0.7, and 0.6 a little more than 0.6."""
    for number, confidence in enumerate((0.6, 0.7, 0.7000004, 0.70001, 1.0, 0.0)):
        await insert(database, f"p{number}", confidence=confidence)
    assert await ids(api, min_confidence="0.7") == ["p4", "p3", "p2", "p1"]
    assert await ids(api, max_confidence="0.6") == ["p5", "p0"]
    assert await ids(api, min_confidence="0.7", max_confidence="0.7") == ["p2", "p1"]
    assert await ids(api, min_confidence="0", max_confidence="1") == ["p5", "p4", "p3", "p2", "p1", "p0"]
    filters = (await api.get("/api/posts", min_confidence="0.7"))["filters"]
    assert (filters["min_confidence"], filters["max_confidence"]) == (0.7, None)


async def test_posts_without_analysis_have_no_confidence(api: Api, database: asyncpg.Connection) -> None:
    await insert(database, "p", label=None)
    assert await ids(api, min_confidence="0") == []


async def test_a_page_by_offset(api: Api, database: asyncpg.Connection) -> None:
    await store_many(database, 5)
    page = await api.get("/api/posts", limit=2, offset=3)
    assert [post["post_id"] for post in page["posts"]] == ["p1", "p0"]
    assert page["total"] == 5


async def test_of_several_analyses_the_newest_counts(api: Api, database: asyncpg.Connection) -> None:
    await insert(database, "p", label="positive", model="old")
    await insert(database, "p", label="negative", model="new")
    assert await ids(api, sentiment="positive") == []
    page = await api.get("/api/posts", sentiment="negative")
    assert page["posts"][0]["sentiment"]["model_name"] == "new"
    assert (await api.get("/api/sentiment/distribution"))["total"] == 1


async def test_a_post_without_analysis_is_shown_as_such(api: Api, database: asyncpg.Connection) -> None:
    await insert(database, "p", label=None)
    assert (await api.get("/api/posts"))["posts"][0]["sentiment"] is None


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"offset": -1}, "offset"),
        ({"offset": 10**30}, "offset"),
        ({"cursor": "not ours"}, "cursor"),
        ({"sentiment": "happy"}, "sentiment"),
        ({"search": "x" * 201}, "search"),
        ({"search": "a\x00b"}, "search"),
        ({"source": "\x00"}, "source"),
        ({"emotion": "\x00"}, "emotion"),
        ({"min_confidence": "1.01"}, "min_confidence"),
        ({"max_confidence": "nan"}, "max_confidence"),
        ({"min_confidence": "0.6", "max_confidence": "0.5"}, "min_confidence"),
        ({"start_date": "soon"}, "start_date"),
        ({"start_date": "2026"}, "start_date"),
        ({"start_date": "-0.5"}, "start_date"),
        ({"end_date": "1e400"}, "end_date"),
        ({"end_date": "nan"}, "end_date"),
        ({"start_date": "0001-01-01T00:00:00+14:00"}, "start_date"),
        ({"end_date": "9999-12-31T23:59:59-14:00"}, "end_date"),
    ],
)
async def test_what_is_not_usable_is_refused_with_a_sentence(api: Api, params: dict[str, str], reason: str) -> None:
    answer = await api.http.get("/api/posts", params=params)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{reason}: ")
