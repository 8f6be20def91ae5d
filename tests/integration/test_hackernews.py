"""The source `hackernews` beside a server with the same API: each item once, whatever it answers and after restarts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus

import pytest

from services.common.messages import Post
from services.ingester.sources import SourceOptions, sources_of
from services.ingester.sources.base import Malformed
from services.ingester.sources.filters import Filters
from services.ingester.sources.hackernews import source as hackernews_source
from services.ingester.sources.hackernews.source import HackerNewsSource
from tests.hackernews_server import JSON, HackerNews, comment, hackernews
from tests.http_server import Answer, HttpServer
from tests.in_task import in_task
from tests.waiting import eventually

POLL_S = 0.02


class Reader:
    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.deleted: list[str] = []
        self.refused: list[str] = []
        self.positions: list[int] = []

    async def read(self, source: HackerNewsSource, position: str | None) -> None:
        async with aclosing(source.batches(position)) as batches:
            async for batch in batches:
                self.numbers += [int(item.post_id.partition(":")[2]) for item in batch.items if isinstance(item, Post)]
                self.deleted += batch.deleted
                self.refused += [item.error for item in batch.items if isinstance(item, Malformed)]
                self.positions.append(int(batch.position or "-1"))

    async def until(self, position: int) -> None:
        async def is_there() -> bool:
            return self.positions[-1:] == [position]

        await eventually(is_there, f"all up to {position} is read")


def source_of(server: HttpServer, missing_s: float = 60.0) -> HackerNewsSource:
    return HackerNewsSource(Filters(), api=server.url, poll_s=POLL_S, missing_s=missing_s)


@asynccontextmanager
async def reading(source: HackerNewsSource, position: str | None = None) -> AsyncIterator[Reader]:
    reader = Reader()
    async with in_task(reader.read(source, position)):
        yield reader


async def polled(site: HackerNews) -> None:
    """Once more, from its beginning to its end."""
    polls = site.polls

    async def twice() -> bool:
        return site.polls >= polls + 2

    await eventually(twice, "it was asked again")


@pytest.mark.parametrize("position", [None, "", "soon", "9" * 14])
async def test_at_first_what_comes_from_now_on_is_given_each_once_in_its_order(position: str | None) -> None:
    async with hackernews() as (site, server):
        site.add(*range(1, 50))
        source = source_of(server)
        async with reading(source, position) as reader:
            await reader.until(49)
            site.add(50, 51)
            await reader.until(51)
            site.add(52)
            await reader.until(52)
            await polled(site)
        assert reader.numbers == [50, 51, 52]
        assert source.health.state().connected
        assert source.health.state().errors == 0
        assert server.requests[0].headers["user-agent"].startswith("undertone/")


async def test_another_process_reads_all_that_came_meanwhile_some_items_at_a_time() -> None:
    newest = 3 * hackernews_source.STEP_ITEMS + 7
    async with hackernews() as (site, server):
        site.add(*range(1, newest + 1))
        async with reading(source_of(server), "5") as reader:
            await reader.until(newest)
        assert reader.numbers == [*range(6, newest + 1)]
        assert [*dict.fromkeys(reader.positions)] == [105, 205, 305, newest]
        assert 1 < server.most_at_once <= hackernews_source.CONCURRENCY


async def test_no_position_passes_an_item_that_is_not_there_yet() -> None:
    async with hackernews() as (site, server):
        site.add(1, 2, 3, 4, 5)
        site.items[3] = None
        site.items[4] = comment(4, text="[delayed]")
        source = source_of(server)
        async with reading(source, "1") as reader:
            await reader.until(2)
            await polled(site)
            assert (reader.numbers, reader.positions[-1]) == ([2, 5], 2)
            site.add(4)
            await polled(site)
            assert (reader.numbers, reader.positions[-1]) == ([2, 5, 4], 2)
            site.add(3)
            await reader.until(5)
        assert reader.numbers == [2, 5, 4, 3]
        assert source.health.state().skipped == {}


async def test_an_item_that_never_comes_is_given_up() -> None:
    async with hackernews() as (site, server):
        site.add(1, 3)
        source = source_of(server, missing_s=0.2)
        async with reading(source, "1") as reader:
            await reader.until(3)
        assert reader.numbers == [3]
        assert source.health.state().skipped == {"missing": 1}


async def test_what_is_deleted_is_told_also_when_it_was_given_before() -> None:
    async with hackernews() as (site, server):
        site.add(1, 2, 3)
        site.items[2] = comment(2, deleted=True, by=None, text=None)
        source = source_of(server)
        async with reading(source, "0") as reader:
            await reader.until(3)
            assert (reader.numbers, reader.deleted) == ([1, 3], ["hackernews:2"])
            site.change(1, comment(1, text="another day"))
            site.change(3, comment(3, deleted=True, by=None, text=None))
            await polled(site)
        assert reader.numbers == [1, 3]
        assert set(reader.deleted) == {"hackernews:2", "hackernews:3"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(HTTPStatus.INTERNAL_SERVER_ERROR, b"null", JSON),
        Answer(HTTPStatus.FOUND, headers={"Location": "/maxitem.json"}),
        Answer(body=b"<html>Sign in to this network</html>", headers={"Content-Type": "text/html"}),
        Answer(body=b'{"deleted": true}   ', headers=JSON, is_cut=True),
        Answer(body=b"1" * (hackernews_source.MAX_BODY_BYTES + 1), headers=JSON),
    ],
    ids=["500", "302", "not JSON", "cut", "too long"],
)
async def test_after_an_answer_that_is_none_nothing_is_left_out(answer: Answer) -> None:
    async with hackernews() as (site, server):
        site.add(*range(1, 21))
        site.answers = [answer]
        source = source_of(server)
        async with reading(source, "0") as reader:
            await reader.until(20)
        assert reader.numbers == [*range(1, 21)]
        assert (reader.deleted, reader.refused) == ([], [])
        assert source.health.state().errors == 1


async def test_who_is_told_to_wait_waits_for_so_long() -> None:
    loop = asyncio.get_running_loop()
    async with hackernews() as (site, server):
        site.add(1)
        site.answers = [Answer(HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": "1"})]
        began = loop.time()
        async with reading(source_of(server), "0") as reader:
            await reader.until(1)
        assert loop.time() - began > 1.0
        assert [request.target for request in server.requests].count("/item/1.json") == 2


def test_it_needs_nothing() -> None:
    [source] = sources_of("hackernews", SourceOptions(rate_per_minute=6))
    assert source.name == "hackernews"
