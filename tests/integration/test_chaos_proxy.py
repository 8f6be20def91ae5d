"""The proxy that the chaos suite disturbs connections with: each fault does what its name says, and heals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.chaos.proxy import Proxy
from tests.waiting import eventually

SOON_S = 10.0


class Echo:
    """A server that answers each line with itself, and remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.farewells = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.heard.append(line)
                writer.write(line)
                await writer.drain()
        except OSError:
            pass
        self.farewells += 1
        writer.close()


@asynccontextmanager
async def echo_behind_a_proxy() -> AsyncIterator[tuple[Echo, Proxy]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    async with server, Proxy.before(server.sockets[0].getsockname()[1]) as proxy:
        yield echo, proxy


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, line: bytes) -> None:
        self.writer.write(line + b"\n")

    async def hear(self) -> bytes:
        async with asyncio.timeout(SOON_S):
            return (await self.reader.readline()).strip()

    async def ask(self, line: bytes) -> bytes:
        self.say(line)
        return await self.hear()


@asynccontextmanager
async def client(proxy: Proxy) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def heard(echo: Echo, line: bytes) -> None:
    async def has() -> bool:
        return line + b"\n" in echo.heard

    await eventually(has, f"the server heard {line!r}", SOON_S)


async def test_undisturbed_it_passes_everything_both_ways_and_the_end_too() -> None:
    async with echo_behind_a_proxy() as (echo, proxy), client(proxy) as one, client(proxy) as other:
        assert await one.ask(b"a") == b"a"
        assert await other.ask(b"b") == b"b"
        long = b"x" * 50_000
        assert await one.ask(long) == long
        one.writer.write_eof()
        assert await one.reader.read() == b""

        async def one_left() -> bool:
            return proxy.connections == 1 and echo.farewells == 1

        await eventually(one_left, "the first connection has ended at both ends", SOON_S)


async def test_a_cut_resets_what_is_connected_refuses_what_comes_and_ends() -> None:
    async with echo_behind_a_proxy() as (_, proxy), client(proxy) as before:
        assert await before.ask(b"a") == b"a"
        with proxy.cut():
            with pytest.raises(ConnectionResetError):
                await before.hear()
            async with client(proxy) as meanwhile:
                with pytest.raises(ConnectionResetError):
                    await meanwhile.hear()
        async with client(proxy) as after:
            assert await after.ask(b"b") == b"b"


async def test_a_delay_makes_every_message_late_and_loses_none() -> None:
    loop = asyncio.get_running_loop()
    async with echo_behind_a_proxy() as (_, proxy), client(proxy) as one:
        with proxy.delayed(0.2):
            began = loop.time()
            assert await one.ask(b"a") == b"a"
            # A floor, which load can only make higher: there and back.
            assert loop.time() - began >= 0.4
        assert await one.ask(b"b") == b"b"


async def test_what_was_sent_into_a_stall_arrives_after_it_even_from_one_who_has_gone() -> None:
    async with echo_behind_a_proxy() as (echo, proxy), client(proxy) as one, client(proxy) as gone:
        assert await one.ask(b"a") == b"a"
        assert await gone.ask(b"b") == b"b"
        with proxy.stalled():
            with proxy.stalled():
                one.say(b"late")
                gone.say(b"from the dead")
                await gone.writer.drain()
                gone.writer.close()
            async with client(proxy) as new:
                new.say(b"new")
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await one.reader.readline()
                assert echo.heard == [b"a\n", b"b\n"]
        assert await one.hear() == b"late"
        await heard(echo, b"from the dead")


async def test_a_half_open_connection_is_dead_and_says_so_to_nobody_while_new_ones_work() -> None:
    async with echo_behind_a_proxy() as (echo, proxy), client(proxy) as dead, client(proxy) as gone:
        assert await dead.ask(b"a") == b"a"
        assert await gone.ask(b"b") == b"b"
        with proxy.half_open():
            dead.say(b"into the void")
            gone.writer.close()
            async with client(proxy) as new:
                assert await new.ask(b"c") == b"c"
                new.say(b"d")
                await heard(echo, b"d")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await dead.reader.readline()
            assert b"into the void\n" not in echo.heard
        with pytest.raises(ConnectionResetError):
            await dead.hear()

        async def told() -> bool:
            return echo.farewells == 3 and proxy.connections == 0

        await eventually(told, "the server has heard of every end", SOON_S)


async def test_without_answers_the_server_does_what_it_is_asked_and_the_client_never_learns_it() -> None:
    async with echo_behind_a_proxy() as (echo, proxy), client(proxy) as one:
        assert await one.ask(b"a") == b"a"
        with proxy.without_answers():
            one.say(b"done")
            await heard(echo, b"done")
            async with client(proxy) as new:
                new.say(b"done too")
                await heard(echo, b"done too")
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await new.reader.readline()
        with pytest.raises(ConnectionResetError):
            await one.hear()
        async with client(proxy) as after:
            assert await after.ask(b"b") == b"b"


async def test_a_server_that_is_away_looks_like_one_and_is_found_again_when_it_is_back() -> None:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    async with Proxy.before(port) as proxy:
        async with client(proxy) as early:
            with pytest.raises(ConnectionResetError):
                await early.hear()
        async with await asyncio.start_server(echo.serve, "127.0.0.1", port), client(proxy) as late:
            assert await late.ask(b"a") == b"a"


async def test_nothing_is_left_after_its_block_whatever_was_going_on() -> None:
    tasks_before = asyncio.all_tasks()
    async with echo_behind_a_proxy() as (_, proxy), client(proxy) as one:
        assert await one.ask(b"a") == b"a"
        stalled, half_open = proxy.stalled(), proxy.half_open()
        stalled.__enter__()
        half_open.__enter__()
        one.say(b"b")

    async def gone() -> bool:
        return asyncio.all_tasks() <= tasks_before and proxy.connections == 0

    await eventually(gone, "every task of the proxy has ended", SOON_S)
