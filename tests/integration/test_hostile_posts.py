"""Posts that nobody would write go the whole way: each is stored once, as it was written, and shown as it was stored;
what is no post lies among the dead letters with the reason.
"""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import asyncpg
import numpy as np
import pytest
from redis.asyncio import Redis
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException
from websockets.asyncio.client import ClientConnection, connect

from services.common.messages import Post, decode_post
from services.common.settings import Settings
from services.common.streams import dead_letter_stream, open_redis
from tests import hostile
from tests.integration.test_api_server import Api, running_api
from tests.integration.test_worker import nothing_is_open
from tests.integration.triton_requests import infer, posts
from tests.processes import service
from tests.redis_reads import entries
from tests.rows import assert_rollups_are_a_recount
from tests.waiting import eventually

Fields = dict[bytes, bytes]
GOOD: Fields = {
    b"post_id": b"good",
    b"source": b"reddit",
    b"content": b"a good day",
    b"author": b"ada",
    b"created_at": b"2026-01-02T03:04:05Z",
}


def valid() -> list[Fields]:
    """Every difficult text as content, as a name and as an id; every time; a field under both of its names."""
    found = [
        GOOD | {b"post_id": f"content {name}".encode(), b"content": text.encode()}
        for name, text in hostile.TEXTS.items()
    ]
    short = {name: text.encode() for name, text in hostile.TEXTS.items() if len(text) <= 50}
    found += [GOOD | {b"post_id": b"id " + text, b"author": text, b"source": text} for text in short.values()]
    found += [
        GOOD | {b"post_id": b"at " + time.encode(), b"created_at": time.encode()} for time in hostile.EXTREME_TIMES
    ]
    found += [GOOD | {b"post_id": f"author {name}".encode(), b"author": text.encode()} for name, text in BLANKS]
    both = GOOD | {b"post_id": b"both names", b"text": b"another", b"platform": b"elsewhere", b"\xff": b"\x00"}
    return [*found, both]


BLANKS = [*hostile.BLANKS.items()]
INVALID: list[tuple[str, Fields]] = [
    *(("empty_field", GOOD | {b"content": text.encode()}) for _, text in BLANKS),
    *(("invalid_timestamp", GOOD | {b"created_at": time.encode()}) for time in hostile.NO_TIMES),
    ("too_long", GOOD | {b"content": b"x" * 10_000_000}),
    ("too_long", GOOD | {b"post_id": "é".encode() * 256}),
    ("too_long", GOOD | {b"source": b" " * 51}),
    ("nul_character", GOOD | {b"content": b"a\x00b"}),
    ("nul_character", GOOD | {b"post_id": b"\x00"}),
    ("invalid_utf8", GOOD | {b"content": b"\xed\xa0\x80"}),
    ("invalid_utf8", GOOD | {b"author": b"\xc0\x80"}),
    ("invalid_utf8", GOOD | {b"created_at": b"\xff"}),
    ("missing_field", {}),
    ("missing_field", {b"post_id": b"1", b"text": b"x", b"platform": b"y"}),
    ("empty_field", GOOD | {b"content": b"", b"text": b"x"}),
]


def conflicting(of: list[Fields]) -> list[Fields]:
    """The same ids with other contents."""
    return [fields | {b"content": b"another", b"source": b"elsewhere", b"author": b"eve"} for fields in of]


def no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


def strict_json(text: str | bytes) -> Any:
    return json.loads(text, parse_constant=no_constant)


async def publish(client: Redis, stream: str, batch: list[Fields]) -> None:
    for fields in batch:
        record: dict[Any, Any] = dict(fields) or {b"": b""}  # an entry of nothing at all cannot be
        await client.xadd(stream, record)


async def stored(dsn: str) -> dict[str, Post]:
    connection = await asyncpg.connect(dsn)
    try:
        await assert_rollups_are_a_recount(connection)
        rows = await connection.fetch(
            """SELECT p.post_id, source, content, author, created_at FROM social_media_posts p
                 JOIN sentiment_analysis a ON a.post_row_id = p.id AND a.is_current"""
        )
        assert len({row["post_id"] for row in rows}) == len(rows)
        return {row["post_id"]: Post(**dict(row)) for row in rows}
    finally:
        await connection.close()


async def shown(api: Api) -> dict[str, Post]:
    """By the REST API, page by page."""
    found: dict[str, Post] = {}
    params: dict[str, str] = {"limit": "17"}
    while True:
        answer = await api.http.get("/api/posts", params=params)
        assert answer.status_code == 200
        page = strict_json(answer.content)
        for post in page["posts"]:
            assert post["post_id"] not in found
            assert post["sentiment"]
            found[post["post_id"]] = post_of(post)
        if page["next_cursor"] is None:
            return found
        params["cursor"] = page["next_cursor"]


async def seen_live(browser: ClientConnection, count: int) -> dict[str, Post]:
    found: dict[str, Post] = {}
    async with asyncio.timeout(90):
        while len(found) < count:
            frame = strict_json(await browser.recv())
            if frame["type"] == "new_post":
                assert frame["data"]["post_id"] not in found
                found[frame["data"]["post_id"]] = post_of(frame["data"])
    return found


def post_of(data: Mapping[str, Any]) -> Post:
    created_at = datetime.fromisoformat(data["created_at"])
    assert created_at.utcoffset() is not None
    fields = {name: data[name] for name in ("post_id", "source", "content", "author")}
    return Post(**fields, created_at=created_at.astimezone(UTC))


@pytest.mark.timeout(240)
async def test_every_text_arrives_as_it_was_written_once_and_what_is_no_post_is_buried_with_the_reason(
    triton_settings: Settings, tmp_path: Path
) -> None:
    settings = triton_settings.model_copy(update={"feed_posts_per_s": 0, "websocket_queue_size": 10_000})
    good = valid()
    expected = {post.post_id: post for post in map(decode_post, good)}
    assert len(expected) == len(good)
    batch = [*good[:60], *(fields for _, fields in INVALID), *good[60:], *conflicting(good)]
    stream = settings.redis_stream_name
    async with open_redis(settings.redis_dsn) as client, running_api(settings) as api:
        await publish(client, stream, batch)
        async with (
            connect(api.live_url, max_size=None) as browser,
            service("worker", settings, tmp_path) as worker,
        ):
            live = await seen_live(browser, len(expected))
            await eventually(lambda: nothing_is_open(client, settings), "everything acknowledged", 90)
            assert await stored(settings.database_dsn) == expected
            # Once more, in other batches.
            await publish(client, stream, conflicting(good))
            await eventually(lambda: nothing_is_open(client, settings), "everything acknowledged", 90)
            assert await worker.stop() == 0
            assert "Traceback" not in worker.output
        assert await stored(settings.database_dsn) == expected
        assert live == expected
        assert await shown(api) == expected
        await assert_buried(client, stream)


async def assert_buried(client: Redis, stream: str) -> None:
    dead = await entries(client, dead_letter_stream(stream))
    assert sorted(fields[b"reason"].decode() for fields in dead) == sorted(reason for reason, _ in INVALID)
    for fields in dead:
        assert len(fields[b"error"]) < 500
        fields[b"error"].decode()


def test_a_request_whose_mask_has_another_shape_is_refused_and_costs_nobody_else(triton: str) -> None:
    with InferenceServerClient(triton) as client:
        asked = posts(2, 16)
        for shape in ((2, 8), (2, 32), (2, 0)):
            with pytest.raises(InferenceServerException, match=r"shape|element count|dimension"):
                infer(client, "sentiment", asked | {"attention_mask": np.ones(shape, np.int64)})
        assert infer(client, "sentiment", asked).as_numpy("logits").shape == (2, 3)
