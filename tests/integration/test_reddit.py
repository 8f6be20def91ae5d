"""The source `reddit` beside a server of its API: each submission and comment once, whatever it answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from http import HTTPStatus

import pytest

from services.common.errors import ConfigurationError
from services.common.messages import Post
from services.ingester.sources.base import Malformed
from services.ingester.sources.filters import Filters
from services.ingester.sources.reddit import source as reddit_source
from services.ingester.sources.reddit.source import RedditSource
from tests.http_server import Answer, HttpServer
from tests.in_task import in_task
from tests.reddit_server import APPLICATION, reddit_server, thing
from tests.waiting import eventually

SUBREDDITS = ("books", "r/games/")


class Reader:
    """`numbers`: of posts by listing."""

    def __init__(self) -> None:
        self.numbers: dict[str, list[int]] = {"t3": [], "t1": []}
        self.refused: list[Malformed] = []
        self.position: str | None = None

    async def read(self, source: RedditSource, position: str | None = None) -> None:
        async with aclosing(source.batches(position)) as batches:
            async for batch in batches:
                for item in batch.items:
                    if isinstance(item, Post):
                        kind = item.post_id.partition(":")[2].partition("_")[0]
                        self.numbers[kind].append(int(item.content.split()[-1]))
                    else:
                        self.refused.append(item)
                self.position = batch.position or self.position

    async def until(self, kind: str, number: int) -> None:
        async def is_there() -> bool:
            return number in self.numbers[kind]

        await eventually(is_there, f"{kind} {number} has come")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between requests; a second is what the real one is asked at most twice in."""
    monkeypatch.setattr(reddit_source, "POLL_S", 0.02)


def source_of(server: HttpServer) -> RedditSource:
    return RedditSource(SUBREDDITS, APPLICATION, Filters(), urls=(server.url, server.url))


@asynccontextmanager
async def reading(source: RedditSource, position: str | None = None) -> AsyncIterator[Reader]:
    reader = Reader()
    async with in_task(reader.read(source, position)):
        yield reader


async def asked(server: HttpServer, times: int) -> None:
    """So many times from now on."""
    wanted = len(server.requests) + times

    async def is_asked() -> bool:
        return len(server.requests) >= wanted

    await eventually(is_asked, f"it was asked {times} times more")


async def test_submissions_and_comments_come_once_in_their_order() -> None:
    async with reddit_server() as (reddit, server):
        reddit.add("new", 0, 1)
        reddit.add("comments", 0, 1, 2)
        source = source_of(server)
        async with reading(source) as reader:
            await reader.until("t1", 2)
            reddit.add("comments", *range(3, 300))
            reddit.add("new", 2)
            await reader.until("t1", 299)
            await reader.until("t3", 2)
            await asked(server, 4)
        assert reader.numbers == {"t3": [0, 1, 2], "t1": [*range(300)]}
        state = source.health.state()
        assert state.connected
        assert (state.errors, state.gaps) == (0, 0)
        assert server.requests[0].headers["user-agent"].startswith("undertone:")
        assert "(by /u/ada)" in server.requests[0].headers["user-agent"]


async def test_another_process_goes_on_where_the_first_has_stopped() -> None:
    async with reddit_server() as (reddit, server):
        reddit.add("comments", *range(10))
        async with reading(source_of(server)) as first:
            await first.until("t1", 9)
        reddit.add("comments", *range(10, 450))
        async with reading(source_of(server), first.position) as second:
            await second.until("t1", 449)
        # The page on which the known ones begin may come again; the database knows them.
        assert second.numbers["t1"][-440:] == [*range(10, 450)]
        assert set(second.numbers["t1"][:-440]) <= set(range(10))


async def test_what_is_let_through_late_behind_newer_ones_is_not_missed() -> None:
    async with reddit_server() as (reddit, server):
        reddit.add("comments", 0, 1, 3, 4)
        source = source_of(server)
        async with reading(source) as reader:
            await reader.until("t1", 4)
            reddit.things["comments"].insert(2, thing("t1", 2))
            await reader.until("t1", 2)
        assert reader.numbers["t1"] == [0, 1, 3, 4, 2]


async def test_where_it_does_not_go_back_far_enough_there_is_a_gap() -> None:
    async with reddit_server() as (reddit, server):
        reddit.add("comments", 0)
        source = source_of(server)
        async with reading(source) as reader:
            await reader.until("t1", 0)
            reddit.add("comments", *range(1, 1_200))
            await reader.until("t1", 1_199)
        assert source.health.state().gaps == 1
        assert reader.numbers["t1"] == [0, *range(200, 1_200)]


async def test_a_small_listing_of_which_all_that_was_known_is_gone_has_no_gap() -> None:
    async with reddit_server() as (reddit, server):
        reddit.add("comments", 0)
        source = source_of(server)
        async with reading(source) as reader:
            await reader.until("t1", 0)
            reddit.things["comments"].clear()
            reddit.add("comments", 1)
            await reader.until("t1", 1)
        assert source.health.state().gaps == 0


async def test_answers_that_are_no_listing_are_asked_for_again_and_give_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The library asks some of them again by itself, after seconds; and we wait longer with each.
    monkeypatch.setattr("asyncprawcore.sessions.FiniteRetryStrategy.should_retry_on_failure", lambda _: False)
    monkeypatch.setattr(reddit_source, "wait_s", lambda _: 0.01)
    async with reddit_server() as (reddit, server):
        reddit.add("comments", 0, 1)
        kind = {"Content-Type": "application/json"}
        reddit.token_answers = [Answer(body=b"{}", headers=kind), Answer(body=b"[]", headers=kind)]
        reddit.answers = [
            Answer(HTTPStatus.INTERNAL_SERVER_ERROR),
            Answer(body=b"<html>", headers={"Content-Type": "text/html"}),
            Answer(body=b"[]", headers=kind),
            Answer(body=b'{"data": {"children": 1}}', headers=kind),
            Answer(body=b'{"data": {"chil', headers=kind),
            Answer(body=b'{"data": {"children": []}}', headers=kind, is_cut=True),
            Answer(body=b"", headers=kind),
        ]
        wrong = len(reddit.answers) + len(reddit.token_answers)
        source = source_of(server)
        async with reading(source) as reader:
            await reader.until("t1", 1)
            assert reader.numbers["t1"] == [0, 1]
        assert source.health.state().errors == wrong


async def test_a_token_that_is_not_taken_any_more_is_replaced() -> None:
    async with reddit_server() as (reddit, server):
        reddit.add("comments", 0)
        source = source_of(server)
        async with reading(source) as reader:
            await reader.until("t1", 0)
            given = reddit.tokens
            reddit.tokens += 1
            reddit.add("comments", 1)
            await reader.until("t1", 1)
            assert reddit.tokens == given + 2
        assert source.health.state().errors == 0


async def test_who_is_told_to_wait_waits_for_so_long() -> None:
    loop = asyncio.get_running_loop()
    async with reddit_server() as (reddit, server):
        reddit.add("new", 0)
        reddit.answers = [Answer(HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": "1"})]
        began = loop.time()
        async with reading(source_of(server)) as reader:
            await reader.until("t3", 0)
        assert loop.time() - began > 1.0


async def test_credentials_that_are_not_known_end_it_with_what_to_do() -> None:
    async with reddit_server() as (_, server):
        wrong = replace(APPLICATION, secret="wrong")
        source = RedditSource(SUBREDDITS, wrong, Filters(), urls=(server.url, server.url))
        with pytest.raises(ConfigurationError, match="REDDIT_CLIENT_ID"):
            await Reader().read(source)


@pytest.mark.parametrize("status", [HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.FOUND])
async def test_a_subreddit_that_cannot_be_read_ends_it_unless_it_could_before(status: HTTPStatus) -> None:
    refusal = Answer(status, headers={"Location": "/subreddits/search?q=books"})
    async with reddit_server() as (reddit, server):
        reddit.answers = [refusal]
        with pytest.raises(ConfigurationError, match="check --subreddit"):
            await Reader().read(source_of(server))
        source = source_of(server)
        async with reading(source) as reader:
            await asked(server, 3)
            reddit.answers = [refusal]
            await asked(server, 3)
            reddit.add("comments", 0)
            await reader.until("t1", 0)
        assert source.health.state().errors == 1


async def test_what_is_no_thing_is_a_dead_letter_once() -> None:
    async with reddit_server() as (reddit, server):
        reddit.add("comments", 0)
        reddit.things["comments"][:0] = [thing("t1", 1, name="t9_zz"), {"kind": "more"}, thing("t1", 2, author=None)]
        async with reading(source_of(server)) as reader:
            await reader.until("t1", 2)
            await asked(server, 4)
        assert [item.reason for item in reader.refused] == ["wrong_type"] * 2
        assert reader.numbers["t1"] == [0, 2]
