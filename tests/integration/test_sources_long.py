"""Many events through the source, and none is lost: JETSTREAM_EVENTS=1000000 makes it a million, in minutes."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import psutil
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from services.common.messages import Post
from services.ingester.sources.bluesky.source import BlueskySource
from services.ingester.sources.filters import Filters
from tests.jetstream_server import commit

EVENTS = int(os.environ.get("JETSTREAM_EVENTS", "200000"))
FIRST_US = 1_725_911_162_329_308
# Of ten events.
DELETED, OTHERS = 1, 2


def template(operation: str, language: str) -> str:
    event = commit("pNUMBER", operation=operation, langs=[language]) | {"time_us": "TIME"}
    return json.dumps(event).replace("%", "%%").replace('"TIME"', "%d").replace("NUMBER", "%d")


TEMPLATES = [
    *[template("delete", "en")] * DELETED,
    *[template("create", "de")] * OTHERS,
    *[template("create", "en")] * (10 - DELETED - OTHERS),
]


def message(number: int) -> bytes:
    text = TEMPLATES[number % 10]
    numbers = [number] * (text.count("%d") - 1)
    return (text % (*numbers, FIRST_US + number)).encode()


@asynccontextmanager
async def all_events() -> AsyncIterator[str]:
    """Sends every event as fast as it is read."""

    async def send(connection: ServerConnection) -> None:
        try:
            for number in range(EVENTS):
                await connection.send(message(number), text=True)
            await connection.wait_closed()
        except ConnectionClosed:
            pass

    async with serve(send, "127.0.0.1", 0, compression=None) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_none_of_many_events_is_lost_and_memory_stays_flat() -> None:
    process = psutil.Process()
    posts = deleted = done = last = early_bytes = 0
    async with all_events() as url:
        source = BlueskySource(Filters(["en"]), hosts=[url])
        async with aclosing(source.batches()) as batches:
            async for batch in batches:
                for item in batch.items:
                    assert isinstance(item, Post)
                    number = int(item.post_id.rpartition("/p")[2])
                    # In their order, so none is there twice.
                    assert number > last
                    last = number
                posts += len(batch.items)
                deleted += len(batch.deleted)
                done = posts + deleted + source.health.state().skipped.get("language", 0)
                if not early_bytes and done >= EVENTS / 5:
                    early_bytes = process.memory_info().rss
                if done >= EVENTS:
                    break
    assert source.health.state().errors == 0
    assert posts == EVENTS * (10 - DELETED - OTHERS) // 10
    assert deleted == EVENTS * DELETED // 10
    assert process.memory_info().rss - early_bytes < 30_000_000
