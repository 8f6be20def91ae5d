"""Commands are packed in C, and are what the library's own way makes of them; what another task closes is no crash."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Connection, Redis, SSLConnection
from redis.asyncio.cluster import ClusterNode
from redis.exceptions import ConnectionError, DataError

from services.common.cluster import ClusterClient
from services.common.streams import open_client, open_redis

COMMANDS = [
    ("XADD", "posts", "*", "content", "Grüße 🎈", "empty", ""),
    ("CONFIG GET", "port"),
    (b"SET", b"\x00\xff\r\n", b"", "PX", 1_500),
    ("INCRBYFLOAT", "key", 0.1),
    ("SET", "long", "x" * 100_000),
]
KINDS = [("redis", Connection), ("rediss", SSLConnection)]


@pytest.mark.parametrize(("scheme", "plain"), KINDS)
async def test_bytes_are_the_same(scheme: str, plain: type[Connection]) -> None:
    async with open_redis(f"{scheme}://localhost") as redis:
        packing = _connection(redis)
        assert type(packing) is not plain
        for command in COMMANDS:
            assert b"".join(packing.pack_command(*command)) == b"".join(plain().pack_command(*command))
        with pytest.raises(DataError):
            packing.pack_command("SET", "key", None)  # type: ignore[arg-type] # what is tested
        with pytest.raises(UnicodeEncodeError):
            packing.pack_command("SET", "key", "\ud800")


@pytest.mark.parametrize(("scheme", "plain"), KINDS)
async def test_nodes_of_a_cluster_have_the_same_connections(scheme: str, plain: type[Connection]) -> None:
    async with (
        open_redis(f"{scheme}://localhost") as redis,
        open_client(f"{scheme}://localhost", cluster=True) as client,
    ):
        assert isinstance(client, ClusterClient)
        mended = type(_connection(redis))
        # Nodes that it hears of are made of these options.
        assert client.nodes_manager.connection_kwargs["connection_class"] is mended
        assert [type(node.acquire_connection()) for node in client.startup_nodes] == [mended]
        assert issubclass(mended, plain)


async def test_a_connection_that_another_task_closes_while_it_is_made_is_a_lost_connection() -> None:
    async with _server() as port, open_redis(f"redis://127.0.0.1:{port}") as redis:
        pool = redis.connection_pool
        options = {**pool.connection_kwargs, "connection_class": pool.connection_class}
        reasons = set()
        # How many turns the loop makes until the client takes the connection decides at which step of it the other is.
        for turns in range(30):
            node = ClusterNode(**options)
            await node.execute_command("SET", "key", "value")
            closing = asyncio.create_task(node.disconnect_free_connections())
            for _ in range(turns):
                await asyncio.sleep(0)
            try:
                await node.execute_command("SET", "key", "value")
            except ConnectionError as error:
                reasons.add(str(error))
            await closing
            await node.disconnect()
        assert "the connection is closed" in reasons


@asynccontextmanager
async def _server() -> AsyncIterator[int]:
    """Says OK to each command."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4_096):
            # Each begins with the number of its words.
            writer.write(b"+OK\r\n" * data.count(b"*"))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def _connection(redis: Redis) -> Connection:
    pool = redis.connection_pool
    connection = pool.connection_class(**pool.connection_kwargs)
    assert isinstance(connection, Connection)
    return connection
