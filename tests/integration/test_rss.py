"""The source `rss` beside a server of a feed: asked politely, read once, whatever it answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import pytest

from services.common.errors import ConfigurationError, Transient
from services.common.messages import Post, decode_post
from services.common.settings import Settings
from services.common.source_states import SourceStore
from services.common.streams import open_redis
from services.ingester.sources.filters import Filters
from services.ingester.sources.rss import source as rss_source
from services.ingester.sources.rss.position import decode
from services.ingester.sources.rss.source import FeedSource
from tests.feed_server import Feed, feed_server, rss
from tests.http_server import Answer, HttpServer
from tests.in_task import in_task
from tests.processes import service
from tests.redis_reads import entries
from tests.waiting import eventually

INTERVAL_S = 0.05
LEAD_NOWHERE = ("file:///etc/passwd", "", "//[", "http://a_$.example:x/", f"/{'x' * 3_000}")


class Reader:
    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.position: str | None = None

    async def read(self, source: FeedSource, position: str | None = None) -> None:
        async with aclosing(source.batches(position)) as batches:
            async for batch in batches:
                self.numbers += [number_of(item) for item in batch.items if isinstance(item, Post)]
                self.position = batch.position or self.position

    async def until(self, number: int) -> None:
        async def is_there() -> bool:
            return number in self.numbers

        await eventually(is_there, f"entry {number} has come")


def number_of(post: Post) -> int:
    return int(post.content.split()[-1])


def source_of(server: HttpServer, path: str = "/feed.xml") -> FeedSource:
    return FeedSource(f"{server.url}{path}", Filters(), INTERVAL_S)


@asynccontextmanager
async def reading(source: FeedSource, position: str | None = None) -> AsyncIterator[Reader]:
    reader = Reader()
    async with in_task(reader.read(source, position)):
        yield reader


async def not_changed(feed: Feed, times: int) -> None:
    async def is_told() -> bool:
        return feed.unchanged >= times

    await eventually(is_told, f"it was told {times} times that nothing has changed")


async def test_each_entry_comes_once_in_its_order_and_what_has_not_changed_is_not_sent_again() -> None:
    async with feed_server() as (feed, server):
        feed.add(0, 1, 2)
        source = source_of(server)
        async with reading(source) as reader:
            await not_changed(feed, 2)
            feed.add(3, 4)
            await reader.until(4)
            await not_changed(feed, 4)
        assert reader.numbers == [0, 1, 2, 3, 4]
        assert source.health.state().connected
        assert source.health.state().errors == 0
        assert server.requests[0].headers["user-agent"].startswith("undertone/")


async def test_another_process_goes_on_where_the_first_has_stopped() -> None:
    async with feed_server() as (feed, server):
        feed.add(*range(10))
        async with reading(source_of(server)) as first:
            await first.until(9)
        # Some are gone from the feed, as its window moves on.
        feed.items = feed.items[:4]
        feed.add(10, 11)
        async with reading(source_of(server), first.position) as second:
            await second.until(11)
            await not_changed(feed, 2)
        assert second.numbers == [10, 11]


async def test_a_feed_of_which_nothing_is_known_any_more_has_a_gap() -> None:
    async with feed_server() as (feed, server):
        feed.add(0, 1)
        source = source_of(server)
        async with reading(source) as reader:
            await reader.until(1)
            feed.items = []
            feed.add(50, 51)
            await reader.until(51)
        assert source.health.state().gaps == 1


async def test_answers_that_are_no_feed_are_asked_for_again_and_give_nothing() -> None:
    async with feed_server() as (feed, server):
        feed.add(0, 1)
        whole = rss(*feed.items)
        feed.answers = [
            Answer(HTTPStatus.INTERNAL_SERVER_ERROR, whole),
            Answer(body=b"<html><p>later</p></html>"),
            Answer(body=whole, is_cut=True),
            Answer(body=whole, is_cut=True, has_length=False),
            Answer(body=b"x" * (rss_source.MAX_BODY_BYTES + 1)),
            Answer(body=whole, headers={"Content-Encoding": "gzip"}),
        ]
        wrong = len(feed.answers)
        source = source_of(server)
        async with reading(source) as reader:
            await reader.until(1)
            assert reader.numbers == [0, 1]
        assert source.health.state().errors == wrong


@pytest.mark.parametrize("status", [HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE])
async def test_who_is_told_to_wait_waits_for_so_long(status: HTTPStatus) -> None:
    loop = asyncio.get_running_loop()
    async with feed_server() as (feed, server):
        feed.add(0)
        feed.answers = [Answer(status, headers={"Retry-After": "1"})]
        began = loop.time()
        async with reading(source_of(server)) as reader:
            await reader.until(0)
        assert loop.time() - began > 1.0
        assert len(server.requests) == 2


async def test_redirects_are_followed_as_far_as_they_may_lead() -> None:
    async with feed_server() as (feed, server):
        feed.add(0)
        feed.answers = [Answer(HTTPStatus.FOUND, headers={"Location": to}) for to in LEAD_NOWHERE]
        feed.answers += [Answer(HTTPStatus.FOUND, headers={"Location": "/old"})] * (rss_source.MAX_REDIRECTS + 1)
        feed.answers += [Answer(HTTPStatus.MOVED_PERMANENTLY, headers={"Location": "feed.xml"})]
        source = source_of(server, "/old")
        async with reading(source) as reader:
            await reader.until(0)
        assert source.health.state().errors == len(LEAD_NOWHERE) + 1


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/x", "http://10.0.0.1/"]
)
async def test_a_public_feed_leads_to_nothing_that_is_not_public(target: str) -> None:
    with pytest.raises(Transient, match="not public"):
        await rss_source._redirected("http://8.8.8.8/feed", target)
    with pytest.raises(Transient, match="https to http"):
        await rss_source._redirected("https://8.8.8.8/feed", target)
    assert await rss_source._redirected("http://8.8.8.8/feed", "http://1.1.1.1/") == "http://1.1.1.1/"


async def test_a_feed_that_is_gone_ends_it_with_what_to_do() -> None:
    async with feed_server() as (feed, server):
        feed.answers = [Answer(HTTPStatus.GONE)]
        with pytest.raises(ConfigurationError, match="do without it"):
            await Reader().read(source_of(server))


async def test_the_ingester_publishes_what_feeds_have_and_goes_on_after_a_restart(
    settings: Settings, tmp_path: Path
) -> None:
    """One of them answers nothing, which disturbs no other."""
    async with feed_server() as (feed, server), open_redis(settings.redis_dsn) as redis:
        feed.add(0, 1, 2)
        store = SourceStore(redis, settings.redis_stream_name)

        async def run_until(numbers: list[int]) -> None:
            feeds = [part for path in ("none", "feed.xml") for part in ("--feed", f"{server.url}/{path}")]
            async with service("ingester", settings, tmp_path, "--source", "rss", *feeds) as ingester:

                async def all_there() -> bool:
                    found = await entries(redis, settings.redis_stream_name)
                    return [number_of(decode_post(fields)) for fields in found] == numbers

                await eventually(all_there, "they are in the stream, each once")

                async def position_is_written() -> bool:
                    position = await store.read_position(source_of(server).name)
                    return len(decode(position).keys) == len(numbers)

                await eventually(position_is_written, "and so is the position")
                assert await ingester.stop() == 0
            assert ingester.errors == []

        await run_until([0, 1, 2])
        feed.add(3, 4)
        await run_until([0, 1, 2, 3, 4])
