"""`/api/posts/export` on a real database: whole, bounded, and visibly broken where it cannot be completed."""

import asyncio
import csv
import io
import json
import random
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable

import asyncpg
import httpx
import pytest

from services.api.exports import reading
from services.common.settings import Settings
from tests import hostile
from tests.integration.test_api_server import Api, relayed, running_api
from tests.rows import count_again, insert
from tests.waiting import eventually

PATH = "/api/posts/export"
# Together far more than the buffers of a connection hold, also compressed, so that the server cannot be ahead of the
# reader.
LONG_TEXT = b64encode(random.Random(1).randbytes(150_000)).decode()
LONG_POSTS = 100


async def store_many(database: asyncpg.Connection, count: int, content: str = "text") -> None:
    for number in range(count):
        await insert(
            database,
            f"p{number}",
            content=content,
            source=f"s{number % 2}",
            confidence=number / count,
            counted=False,
        )
    await count_again(database)


@pytest.fixture
def by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Portions of one post, so that few posts are many portions."""
    monkeypatch.setattr(reading, "FOUND_AT_ONCE", 1)
    monkeypatch.setattr(reading, "LOADED_AT_ONCE", 1)


READERS: dict[str, Callable[[str], object]] = {
    "csv": lambda text: list(csv.reader(io.StringIO(text, newline=""), strict=True)),
    "json": json.loads,
    "ndjson": lambda text: json.loads(text.split("\n")[-1]),
}


async def read_all(stream: AsyncIterator[bytes], pieces: list[bytes]) -> None:
    async for piece in stream:
        pieces.append(piece)


async def listed(api: Api, **params: str | int) -> list[dict[str, object]]:
    posts: list[dict[str, object]] = []
    while True:
        page = await api.get("/api/posts", **params)
        posts += page["posts"]
        if page["next_cursor"] is None:
            return posts
        params["cursor"] = page["next_cursor"]


async def exported(api: Api, **params: str | int) -> list[dict[str, object]]:
    answer = await api.http.get(PATH, params=params | {"format": "ndjson"})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.split("\n")[:-1]]


async def test_the_three_formats_hold_the_same_posts(api: Api, database: asyncpg.Connection) -> None:
    for number, text in enumerate(hostile.TEXTS.values()):
        await insert(database, f"p{number}", content=text, label="negative" if number % 2 else None, counted=False)
    await count_again(database)
    posts = await listed(api)
    assert len(posts) == len(hostile.TEXTS)
    kinds = {"csv": "text/csv; charset=utf-8; header=present", "json": "application/json"}
    files = {}
    for format_ in ("csv", "json", "ndjson"):
        answer = await api.http.get(PATH, params={"format": format_})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == kinds.get(format_, "application/x-ndjson")
        name = rf"undertone-posts-\d{{8}}T\d{{6}}Z\.{format_}"
        assert re.fullmatch(f'attachment; filename="{name}"', answer.headers["content-disposition"])
        assert (answer.headers["x-undertone-cut"], answer.headers["cache-control"]) == ("no", "no-store")
        files[format_] = answer.content.decode()
    assert json.loads(files["json"]) == posts
    assert [json.loads(line) for line in files["ndjson"].split("\n")[:-1]] == posts
    rows = list(csv.DictReader(io.StringIO(files["csv"], newline=""), strict=True))
    assert [row["content"].removeprefix("'") for row in rows] == [post["content"] for post in posts]
    assert [row["ingested_at"] for row in rows] == [post["ingested_at"] for post in posts]


@pytest.mark.parametrize("found_at_once", [1, 7, 1_000])
async def test_a_file_holds_what_the_list_holds_whatever_the_portions(
    api: Api, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, found_at_once: int
) -> None:
    monkeypatch.setattr(reading, "FOUND_AT_ONCE", found_at_once)
    monkeypatch.setattr(reading, "LOADED_AT_ONCE", 3)
    await store_many(database, 20)
    filters: list[dict[str, str | int]] = [{}, {"source": "s1"}, {"search": "ext"}, {"min_confidence": "0.5"}]
    for each in filters:
        assert await exported(api, **each) == await listed(api, **each)
    assert await exported(api, limit=13) == (await listed(api))[:13]
    assert await exported(api, source="nobody") == []


async def test_it_says_whether_the_limit_cuts(
    api: Api, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_many(database, 20)

    async def cut(**params: str | int) -> str:
        return (await api.http.head(PATH, params=params)).headers["x-undertone-cut"]

    assert [await cut(limit=limit) for limit in (19, 20, 21)] == ["yes", "no", "no"]
    assert [await cut(limit=limit, search="text") for limit in (19, 20)] == ["yes", "no"]
    monkeypatch.setattr(reading, "FOUND_AT_ONCE", 5)
    assert [await cut(limit=limit) for limit in (19, 20, 21)] == ["yes", "no", "no"]
    assert [await cut(limit=limit, search="text") for limit in (19, 20)] == ["unknown", "unknown"]


async def test_its_name_tells_what_is_in_it(api: Api, database: asyncpg.Connection) -> None:
    params = {"sentiment": "negative", "source": 'a/../"b"', "search": "Ü\r\n", "format": "json"}
    answer = await api.http.head(PATH, params=params)
    name = answer.headers["content-disposition"]
    assert re.fullmatch(r'attachment; filename="undertone-posts-negative-a-b-\d{8}T\d{6}Z\.json"', name)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("params", [{"limit": "0"}, {"limit": "100001"}, {"format": "xml"}, {"min_confidence": "2"}])
async def test_what_is_not_usable_is_refused(api: Api, params: dict[str, str]) -> None:
    answer = await api.http.get(PATH, params=params)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{next(iter(params))}: ")


@pytest.mark.usefixtures("by_one")
async def test_posts_that_arrive_meanwhile_are_not_in_it(api: Api, database: asyncpg.Connection) -> None:
    await store_many(database, LONG_POSTS, LONG_TEXT)
    async with api.http.stream("GET", PATH, params={"format": "ndjson"}) as answer:
        pieces = answer.aiter_bytes()
        begin = await anext(pieces)
        for number in range(3):
            await insert(database, f"new{number}", counted=False)
        body = begin + b"".join([piece async for piece in pieces])
    found = [json.loads(line)["post_id"] for line in body.split(b"\n")[:-1]]
    assert found == [f"p{number}" for number in reversed(range(LONG_POSTS))]


@pytest.mark.usefixtures("by_one")
@pytest.mark.parametrize("format_", ["csv", "json", "ndjson"])
async def test_without_the_database_in_the_middle_the_connection_breaks(
    settings: Settings, database: asyncpg.Connection, format_: str
) -> None:
    """No reader can take what has come for the whole file."""
    await store_many(database, LONG_POSTS, LONG_TEXT)
    async with relayed(settings.database_url) as relay:
        await relay.open()
        async with running_api(settings.model_copy(update={"database_url": relay.url})) as api:
            pieces: list[bytes] = []
            async with api.http.stream("GET", PATH, params={"format": format_}) as answer:
                assert answer.status_code == 200
                stream = answer.aiter_bytes()
                pieces.append(await anext(stream))
                await relay.cut()
                with pytest.raises(httpx.RemoteProtocolError):
                    await read_all(stream, pieces)
            text = b"".join(pieces).decode()
            assert LONG_TEXT[:1_000] in text
            with pytest.raises((csv.Error, json.JSONDecodeError)):
                READERS[format_](text)
            answer = await api.http.get(PATH)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


@pytest.fixture
async def narrow_api(settings: Settings) -> AsyncIterator[Api]:
    """With one permit and one export at once."""
    narrow = settings.model_copy(update={"api_exports_at_once": 1, "api_requests_at_work": 1, "api_wait_s": 2.0})
    async with running_api(narrow) as running:
        yield running


@pytest.mark.usefixtures("by_one")
async def test_a_reader_that_stops_holds_a_slot_and_nothing_else(narrow_api: Api, database: asyncpg.Connection) -> None:
    """Neither the permit nor the connection that others wait for; who leaves gives the slot back."""
    await store_many(database, LONG_POSTS, LONG_TEXT)
    async with narrow_api.http.stream("GET", PATH) as stopped:
        assert stopped.status_code == 200
        pieces = stopped.aiter_bytes()  # kept: without it the connection would be closed
        await anext(pieces)
        assert (await narrow_api.http.get("/api/posts", params={"limit": 1})).status_code == 200
        refused = await narrow_api.http.get(PATH)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
        assert "1 exports" in refused.json()["detail"]

    async def is_free() -> bool:
        return (await narrow_api.http.head(PATH)).status_code == 200

    await eventually(is_free, "the slot is free again")


@pytest.mark.usefixtures("by_one")
async def test_its_portions_wait_their_turn(narrow_api: Api, database: asyncpg.Connection) -> None:
    """Where others ask all the time for the only permit, a file is whole all the same."""
    await store_many(database, 30)
    done = asyncio.Event()

    async def ask() -> None:
        while not done.is_set():
            assert (await narrow_api.http.get("/api/posts")).status_code in (200, 429)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(ask())
        posts = await exported(narrow_api)
        done.set()
    assert [post["post_id"] for post in posts] == [f"p{number}" for number in reversed(range(30))]
