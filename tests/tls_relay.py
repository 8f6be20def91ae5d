"""TLS before a server of which the embedded build has none."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trustme

# What a client of PostgreSQL sends first: the length of the message, and the code of "may it be TLS?".
SSL_REQUEST = struct.pack("!ii", 8, 80_877_103)


def server_context(ca: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    """A server's, with a certificate of that name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    return context


@asynccontextmanager
async def tls_before(port: int, context: ssl.SSLContext, *, postgresql: bool = False) -> AsyncIterator[int]:
    """The port at which the server at `port` is reached through TLS, and not without."""
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        # A client that does not trust us ends the handshake.
        with suppress(OSError, asyncio.IncompleteReadError):
            try:
                if postgresql:
                    if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                        return
                    writer.write(b"S")
                    await writer.start_tls(context)
                await relay(reader, writer, port)
            finally:
                writer.close()
                await writer.wait_closed()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=None if postgresql else context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.TaskGroup() as directions:
            directions.create_task(pump(reader, there_writer))
            directions.create_task(pump(there_reader, writer))
    finally:
        there_writer.close()
        await there_writer.wait_closed()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    with suppress(OSError):
        writer.close()
