"""The source `mastodon` beside a server of its protocol: by the stream with a token, page by page without one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import pytest

from services.common.errors import ConfigurationError
from services.common.messages import Post, decode_post
from services.common.settings import Settings
from services.common.streams import open_redis
from services.ingester.sources import backoff
from services.ingester.sources.filters import Filters
from services.ingester.sources.mastodon import source as mastodon_source
from services.ingester.sources.mastodon.source import MastodonSource
from services.ingester.sources.mastodon.statuses import Wanted
from tests.mastodon_server import FIRST_ID, MAX_PAGE, RATE_LIMIT, MastodonServer, mastodon, status
from tests.processes import service
from tests.redis_reads import entries
from tests.waiting import eventually

TOKEN = "mole-s-token"
WINDOW_S = 300.0


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(mastodon_source, "POLL_S", 0.05)
    monkeypatch.setattr(mastodon_source, "NEXT_PAGE_S", 0.01)


class Reader:
    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.deleted: list[str] = []
        self.refused = 0
        self.position: str | None = None

    async def read(self, source: MastodonSource, position: str | None) -> None:
        async with aclosing(source.batches(position)) as batches:
            async for batch in batches:
                posts = [item for item in batch.items if isinstance(item, Post)]
                self.numbers += [number_of(post) for post in posts]
                self.refused += len(batch.items) - len(posts)
                self.deleted += batch.deleted
                self.position = batch.position

    async def until(self, number: int) -> None:
        async def is_there() -> bool:
            return number in self.numbers

        await eventually(is_there, f"post {number} has come")


def number_of(post: Post) -> int:
    return int(post.post_id.rpartition("/")[2]) - FIRST_ID


@asynccontextmanager
async def reading(
    server: MastodonServer, token: str = "", position: str | None = None
) -> AsyncIterator[tuple[MastodonSource, Reader]]:
    source, reader = MastodonSource(server.url, Wanted(Filters()), token), Reader()
    task = asyncio.create_task(reader.read(source, position))
    try:
        yield source, reader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def streaming(server: MastodonServer) -> None:
    async def any_stream() -> bool:
        return server.streams > 0

    await eventually(any_stream, "the stream is read")


@pytest.mark.usefixtures("short_waits")
async def test_without_a_token_each_post_comes_once_page_by_page() -> None:
    async with mastodon() as server:
        await server.add(*map(status, range(MAX_PAGE + 5)))
        async with reading(server) as (source, reader):
            await reader.until(MAX_PAGE + 4)
            # More than a page at once, in their order.
            await server.add(*map(status, range(100, 200)))
            await reader.until(199)
            assert reader.numbers == [*range(5, MAX_PAGE + 5), *range(100, 200)]
            assert source.health.state().connected
            assert source.health.state().errors == 0


@pytest.mark.usefixtures("short_waits")
async def test_another_process_goes_on_where_the_first_has_stopped() -> None:
    async with mastodon() as server:
        await server.add(*map(status, range(3)))
        async with reading(server) as (_, first):
            await first.until(2)
        await server.add(*map(status, range(3, 150)))
        async with reading(server, position=first.position) as (_, second):
            await second.until(149)
            assert second.numbers == [*range(3, 150)]


@pytest.mark.usefixtures("short_waits")
async def test_with_a_token_the_stream_is_read_and_what_a_cut_has_missed_is_fetched() -> None:
    async with mastodon(token=TOKEN) as server, reading(server, TOKEN) as (source, reader):
        await streaming(server)
        await server.add(status(0))
        await reader.until(0)
        for cut in range(1, 6):
            server.cut()
            await server.add(*map(status, range(10 * cut, 10 * cut + 10)))
            await reader.until(10 * cut + 9)
            await streaming(server)
        assert sorted(reader.numbers) == [0, *range(10, 60)]
        assert source.health.state().errors >= 5
        await server.tell("delete", str(FIRST_ID))
        await server.say("{no json")
        await server.tell("filters_changed", "")
        await server.add(status(90))
        await reader.until(90)
        assert reader.deleted == [f"mastodon:127.0.0.1:{server.port}/{FIRST_ID}"]
        assert reader.refused == 1


@pytest.mark.usefixtures("short_waits")
async def test_answers_that_are_no_page_are_asked_for_again() -> None:
    async with mastodon() as server:
        server.refusals += [
            (HTTPStatus.INTERNAL_SERVER_ERROR, b"{}"),
            (HTTPStatus.OK, b"<html>"),
            (HTTPStatus.OK, b'{"error": "later"}'),
            (HTTPStatus.FOUND, b""),
        ]
        await server.add(status(0))
        async with reading(server) as (source, reader):
            await reader.until(0)
            assert source.health.state().errors == 4


@pytest.mark.usefixtures("short_waits")
async def test_who_is_told_to_wait_waits_until_the_time_that_the_server_names() -> None:
    loop = asyncio.get_running_loop()
    async with mastodon() as server:
        server.refusals.append((HTTPStatus.TOO_MANY_REQUESTS, b'{"error": "Too many requests"}'))
        server.reset_in_s = 1.5
        await server.add(status(0))
        began = loop.time()
        async with reading(server) as (_, reader):
            await reader.until(0)
        assert loop.time() - began > 1.4
        assert len(server.pages) == 2


@pytest.mark.parametrize("token", ["", "of-somebody-else"])
async def test_a_server_that_lets_nobody_read_ends_it_with_what_to_do(token: str) -> None:
    async with mastodon(token=TOKEN, is_closed=True) as server:
        with pytest.raises(ConfigurationError, match="MASTODON_TOKEN"):
            await Reader().read(MastodonSource(server.url, Wanted(Filters()), token), None)


def test_requests_stay_within_what_servers_allow() -> None:
    assert WINDOW_S / mastodon_source.NEXT_PAGE_S < RATE_LIMIT
    assert WINDOW_S / mastodon_source.POLL_S < RATE_LIMIT


async def test_the_ingester_publishes_what_a_server_has_and_goes_on_after_a_restart(
    settings: Settings, tmp_path: Path
) -> None:
    async with mastodon() as server, open_redis(settings.redis_dsn) as redis:
        await server.add(*map(status, range(3)))

        async def published() -> list[int]:
            return sorted(number_of(decode_post(fields)) for fields in await entries(redis, settings.redis_stream_name))

        async def run_until(numbers: list[int]) -> None:
            arguments = ("--source", "mastodon", "--instance", server.url)
            async with service("ingester", settings, tmp_path, *arguments) as ingester:

                async def all_there() -> bool:
                    return await published() == numbers

                await eventually(all_there, "they are in the stream, each once")
                assert await ingester.stop() == 0
            assert ingester.errors == []

        await run_until([0, 1, 2])
        await server.add(*map(status, range(3, 6)))
        await run_until([0, 1, 2, 3, 4, 5])
