"""A TCP proxy between the services and one server, for faults of the network.

Each fault is a context manager and lasts as long as its block; several may be at work at once.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

CHUNK_BYTES = 65_536


@dataclass(eq=False)
class _Link:
    """A connection that came in and the one that was made for it. `severed`: neither side hears of the other any more.
    `deaf`: the client's bytes arrive, the server's do not."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    severed: bool = False
    deaf: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def abort(self) -> None:
        """Both ends get a reset."""
        self.over.set()
        _reset(self.client)
        _reset(self.server)


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # it has gone by itself
        # Without lingering, a close is a reset and no orderly end.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Proxy:
    """Passes connections to 127.0.0.1:`port` on to 127.0.0.1:`target`."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stalls = 0
        self._passing = asyncio.Event()
        self._passing.set()
        self._refusals = 0
        self._deafness = 0
        self._delays_s: list[float] = []

    @property
    def connections(self) -> int:
        return len(self._links)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Every connection is reset, also in the middle of an answer; new ones are refused while it lasts."""
        self._refusals += 1
        for link in [*self._links]:
            link.abort()
        try:
            yield
        finally:
            self._refusals -= 1

    @contextmanager
    def delayed(self, seconds: float) -> Iterator[None]:
        """Whatever is sent, either way, takes so much longer."""
        self._delays_s.append(seconds)
        try:
            yield
        finally:
            self._delays_s.remove(seconds)

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Nothing passes, nothing is closed. What was sent arrives afterwards, also where nobody waits for it now."""
        self._stalls += 1
        self._passing.clear()
        try:
            yield
        finally:
            self._stalls -= 1
            if not self._stalls:
                self._passing.set()

    @contextmanager
    def half_open(self) -> Iterator[None]:
        """The connections of this moment are dead, and nobody tells either end, not even of the other's farewell. New
        ones work. In the end both are reset, as keep-alive would do it."""
        severed = [*self._links]
        for link in severed:
            link.severed = True
        try:
            yield
        finally:
            for link in severed:
                link.abort()

    @contextmanager
    def without_answers(self) -> Iterator[None]:
        """What clients ask is done, and they never learn of it: in the end their connections are reset."""
        self._deafness += 1
        for link in self._links:
            link.deaf = True
        try:
            yield
        finally:
            self._deafness -= 1
            for link in [*self._links]:
                if link.deaf:
                    link.abort()

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self._refusals:
            _reset(client)
            return
        try:
            await self._passing.wait()
            answers, server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:  # it is being started again
            _reset(client)
            return
        except asyncio.CancelledError:
            _reset(client)
            raise
        link = _Link(client, server, deaf=self._deafness > 0)
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(link, reader, server))
                pumps.create_task(self._pump(link, answers, client, answering=True))
            # What was written is sent first.
            client.close()
            server.close()
        except* OSError:  # one end is gone
            link.abort()
        finally:
            self._links.discard(link)
            if not client.is_closing():  # we are being cancelled
                link.abort()

    async def _pump(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answering: bool = False
    ) -> None:
        while chunk := await self._read(link, reader):
            if self._delays_s:
                await asyncio.sleep(sum(self._delays_s))
            await self._passing.wait()
            if not (link.severed or (answering and link.deaf)):
                writer.write(chunk)
                await writer.drain()
        if link.severed:
            # The other end must not hear of it, until both are reset.
            await link.over.wait()
            return
        await self._passing.wait()
        writer.write_eof()

    async def _read(self, link: _Link, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read(CHUNK_BYTES)
        except OSError:
            if link.severed:
                return b""
            raise

    def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._accept(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for link in [*self._links]:
            link.abort()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @classmethod
    @asynccontextmanager
    async def before(cls, target: int) -> AsyncIterator["Proxy"]:
        """A proxy on a free port (`port`); the server need not be there yet."""
        proxy = cls(target)
        server = await asyncio.start_server(proxy._on_connection, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            await proxy.close()
            with contextlib.suppress(OSError):
                await server.wait_closed()
