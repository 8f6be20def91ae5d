"""The source `bluesky` beside a faithful server: whatever ends a connection, it goes on behind what it has."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest

from services.common.errors import ConfigurationError
from services.common.messages import Post
from services.ingester.sources import backoff, given
from services.ingester.sources.base import Malformed
from services.ingester.sources.bluesky import source as bluesky
from services.ingester.sources.bluesky.source import BlueskySource
from services.ingester.sources.filters import Filters
from tests.jetstream_server import LOOKBACK_US, POSTS, JetstreamServer, account, commit, identity, jetstream, now_us
from tests.ports import free_port
from tests.waiting import eventually

GARBLED_FRAME = b"\xff\xff\xff\xff"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_WAIT_S", 0.01)


class Reader:
    """What the source has given so far."""

    def __init__(self) -> None:
        self.posts: list[str] = []
        self.deleted: list[str] = []
        self.malformed: list[Malformed] = []
        self.position: str | None = None
        # Held, the source is not asked for more.
        self.may_read = asyncio.Event()
        self.may_read.set()

    @property
    def rkeys(self) -> list[str]:
        return [post_id.rpartition("/")[2] for post_id in self.posts]

    async def read(self, source: BlueskySource, position: str | None) -> None:
        async with aclosing(source.batches(position)) as batches:
            async for batch in batches:
                self.posts += [item.post_id for item in batch.items if isinstance(item, Post)]
                self.malformed += [item for item in batch.items if isinstance(item, Malformed)]
                self.deleted += batch.deleted
                self.position = batch.position
                await self.may_read.wait()

    async def until(self, rkeys: Sequence[str]) -> None:
        async def all_there() -> bool:
            return set(rkeys) <= set(self.rkeys)

        await eventually(all_there, f"{rkeys[-1]} has come")


@asynccontextmanager
async def reading(
    *servers: JetstreamServer | str, position: str | None = None, filters: Filters | None = None, **options: Any
) -> AsyncIterator[tuple[BlueskySource, Reader]]:
    hosts = [server if isinstance(server, str) else server.url for server in servers]
    source = BlueskySource(filters or Filters(), hosts=hosts, **options)
    reader = Reader()
    task = asyncio.create_task(reader.read(source, position))
    try:
        yield source, reader
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def connected(*servers: JetstreamServer) -> None:
    async def any_connection() -> bool:
        return any(server.connections for server in servers)

    await eventually(any_connection, "the source is connected")


async def test_posts_deletions_and_nothing_else_of_what_comes() -> None:
    async with jetstream() as server, reading(server) as (source, reader):
        await connected(server)
        server.add(identity(), commit("a"), account(), commit("b", operation="update"), commit("a", operation="delete"))
        server.add(commit("like", collection="app.bsky.feed.like"), commit("c", text=""), commit("d"))
        await reader.until(["a", "d"])
        assert reader.rkeys == ["a", "d"]
        assert reader.deleted == [f"at://did:plc:mole/{POSTS}/a"]
        assert source.health.state().skipped == {"update": 1, "empty": 1}
        (options,) = server.requests
        assert options["wantedCollections"] == [POSTS]
        assert "cursor" not in options


async def test_accounts_are_asked_for_and_languages_are_looked_at_here() -> None:
    dids = ["did:plc:mole", "did:web:badger.example"]
    async with jetstream() as server, reading(server, filters=Filters(["en"]), accounts=dids) as (_, reader):
        await connected(server)
        server.add(commit("a"), commit("b", did="did:plc:toad"), commit("c", langs=["de"]), commit("d", did=dids[1]))
        await reader.until(["a", "d"])
        assert reader.rkeys == ["a", "d"]
        assert server.requests[0]["wantedDids"] == dids


async def abort(server: JetstreamServer) -> None:
    server.cut()


async def garble(server: JetstreamServer) -> None:
    server.say_raw(GARBLED_FRAME)


async def too_large(server: JetstreamServer) -> None:
    await server.say("x" * (bluesky.MAX_MESSAGE_BYTES + 1))


def closing(code: int) -> Callable[[JetstreamServer], Any]:
    return lambda server: server.close(code)


@pytest.mark.parametrize(
    "end",
    [abort, garble, too_large, closing(1000), closing(1001), closing(1011)],
    ids=["1006", "garbled", "too large", "1000", "1001", "1011"],
)
async def test_however_a_connection_ends_the_next_goes_on(end: Callable[[JetstreamServer], Any]) -> None:
    """By the same server or another one. What is written in between is not missed."""
    async with jetstream() as server, reading(server, free_address(), server) as (source, reader):
        await connected(server)
        server.add(commit("a"))
        await reader.until(["a"])
        await end(server)

        async def noticed() -> bool:
            return source.health.state().errors > 0

        await eventually(noticed, "it is seen")
        server.add(commit("b"))
        await reader.until(["a", "b"])
        await eventually(lambda: answer(source.health.state().connected), "it is connected again")


async def answer(value: bool) -> bool:
    return value


def free_address() -> str:
    """Where nobody listens."""
    return f"ws://127.0.0.1:{free_port()}"


async def test_it_resumes_some_seconds_before_its_newest_event_and_gives_nothing_twice() -> None:
    async with jetstream() as server, reading(server) as (source, reader):
        await connected(server)
        server.add(commit("a"))
        await reader.until(["a"])
        newest_us = int(reader.position or 0)
        server.cut()
        server.add(commit("b"))
        await reader.until(["b"])
        assert reader.rkeys == ["a", "b"]
        assert source.health.state().skipped == {"repeated": 1}
        assert int(server.requests[-1]["cursor"][0]) == newest_us - bluesky.RESUME_EARLIER_S * 1e6


async def test_another_process_goes_on_where_the_first_has_stopped() -> None:
    async with jetstream() as server:
        async with reading(server) as (_, reader):
            await connected(server)
            server.add(commit("a"))
            await reader.until(["a"])
        server.add(commit("b"))
        async with reading(server, position=reader.position) as (_, second):
            await second.until(["b"])
            assert int(server.requests[-1]["cursor"][0]) == int(reader.position or 0) - bluesky.RESUME_EARLIER_S * 1e6


@pytest.mark.parametrize("position", ["yesterday", "", "-5", "9" * 40, "٣"])
async def test_a_position_that_nobody_wrote_means_from_now_on(position: str) -> None:
    async with jetstream() as server, reading(server, position=position):
        await connected(server)
        assert "cursor" not in server.requests[0]


async def test_another_server_with_another_order_and_another_clock_has_what_is_missing() -> None:
    async with (
        jetstream() as first,
        jetstream(clock_us=lambda: now_us() - 2_000_000) as second,
        reading(first, second) as (_, reader),
    ):
        await connected(first)
        second.add(commit("late"), commit("b"), commit("a"))
        first.add(commit("a"), commit("b"))
        await reader.until(["a", "b"])
        first.cut()
        second.add(commit("c"))
        await reader.until(["a", "b", "late", "c"])


async def test_what_it_remembers_is_bounded_and_what_it_forgot_is_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "MAX_REMEMBERED", 2)
    async with jetstream() as server, reading(server) as (_, reader):
        await connected(server)
        server.add(commit("a"), commit("b"), commit("c"))
        await reader.until(["c"])
        server.cut()
        server.add(commit("d"))
        await reader.until(["d"])
        assert reader.rkeys[:4] == ["a", "b", "c", "a"]


async def test_an_event_from_the_future_does_not_move_the_position_there() -> None:
    async with jetstream() as server, reading(server) as (_, reader):
        await connected(server)
        await server.say(b'{"did": "did:plc:a", "time_us": 99999999999999999, "kind": "identity"}')
        server.add(commit("a"))
        await reader.until(["a"])
        assert int(reader.position or 0) <= now_us()
        server.cut()
        server.add(commit("b"))
        await reader.until(["b"])


async def test_messages_that_are_no_events_are_dead_letters_and_the_next_ones_come() -> None:
    async with jetstream() as server, reading(server) as (source, reader):
        await connected(server)
        for message in ("{not json", b"\x28\xb5\x2f\xfd binary", "[]", '{"did": "did:plc:a"}'):
            await server.say(message)
        server.add(commit("a"))
        await reader.until(["a"])
        assert len(reader.malformed) == 4
        assert source.health.state().errors == 0


async def test_options_that_a_server_refuses_end_it_with_what_the_server_says() -> None:
    async with jetstream() as server:
        source = BlueskySource(Filters(), ["did:mole"], [server.url])
        with pytest.raises(ConfigurationError, match="invalid did"):
            await Reader().read(source, None)
    assert server.requests[0]["wantedDids"] == ["did:mole"]


async def test_servers_that_are_busy_are_asked_again() -> None:
    async with jetstream() as server:
        server.refusals += [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.NOT_FOUND]
        async with reading(server, free_address()) as (source, reader):
            await connected(server)
            server.add(commit("a"))
            await reader.until(["a"])
            assert source.health.state().errors >= 3


async def test_pings_are_answered_also_while_nothing_else_comes() -> None:
    async with jetstream(ping_interval_s=0.05) as server, reading(server) as (source, reader):
        await connected(server)
        began = time.monotonic()

        async def some_pings() -> bool:
            return time.monotonic() - began > 0.5

        await eventually(some_pings, "ten pings have come")
        server.add(commit("a"))
        await reader.until(["a"])
        assert source.health.state().errors == 0


async def test_a_server_that_has_fallen_silent_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bluesky, "SILENCE_S", 0.2)
    async with jetstream() as silent, jetstream() as other, reading(silent, other) as (_, reader):
        await connected(silent)
        other.add(commit("a"))
        await reader.until(["a"])


async def test_who_is_held_back_reads_on_later_and_misses_nothing() -> None:
    """The server ends connections whose client does not read."""
    big = "x" * 20_000
    async with jetstream(slow_after_s=0.2) as server, reading(server) as (_, reader):
        await connected(server)
        reader.may_read.clear()
        wanted = [f"p{n}" for n in range(1_000)]
        server.add(*(commit(rkey, text=big) for rkey in wanted))

        async def is_cut() -> bool:
            return server.slow_cut > 0

        await eventually(is_cut, "the server has enough")
        assert len(reader.posts) < len(wanted)
        reader.may_read.set()
        await reader.until(wanted)


async def test_a_server_that_has_forgotten_is_told_from_one_that_was_quiet() -> None:
    clock = [time.time()]
    async with (
        jetstream(clock_us=lambda: int(clock[0] * 1e6)) as server,
        reading(server, clock=lambda: clock[0]) as (source, reader),
    ):
        await connected(server)
        server.add(commit("a"))
        await reader.until(["a"])
        server.cut()
        server.add(commit("b"))
        await reader.until(["b"])
        assert source.health.state().gaps == 0
        clock[0] += 600
        server.forget()
        server.cut()
        server.add(commit("c"))
        await reader.until(["c"])
        assert source.health.state().gaps == 1


async def test_a_position_that_is_older_than_servers_remember_is_a_gap() -> None:
    old_us = now_us() - LOOKBACK_US - 60_000_000
    async with jetstream() as server, reading(server, position=str(old_us)) as (source, reader):
        await connected(server)
        server.add(commit("a"))
        await reader.until(["a"])
        assert source.health.state().gaps == 1
