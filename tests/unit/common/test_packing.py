"""Commands are packed in C, and are what the library's own way makes of them."""

import pytest
from redis.asyncio import Connection, Redis, SSLConnection
from redis.exceptions import DataError

from services.common.streams import open_redis

COMMANDS = [
    ("XADD", "posts", "*", "content", "Grüße 🎈", "empty", ""),
    ("CONFIG GET", "port"),
    (b"SET", b"\x00\xff\r\n", b"", "PX", 1_500),
    ("INCRBYFLOAT", "key", 0.1),
    ("SET", "long", "x" * 100_000),
]


@pytest.mark.parametrize(("dsn", "plain"), [("redis://localhost", Connection), ("rediss://localhost", SSLConnection)])
async def test_bytes_are_the_same(dsn: str, plain: type[Connection]) -> None:
    async with open_redis(dsn) as redis:
        packing = _connection(redis)
        assert type(packing) is not plain
        for command in COMMANDS:
            assert b"".join(packing.pack_command(*command)) == b"".join(plain().pack_command(*command))
        with pytest.raises(DataError):
            packing.pack_command("SET", "key", None)  # type: ignore[arg-type] # what is tested
        with pytest.raises(UnicodeEncodeError):
            packing.pack_command("SET", "key", "\ud800")


def _connection(redis: Redis) -> Connection:
    pool = redis.connection_pool
    connection = pool.connection_class(**pool.connection_kwargs)
    assert isinstance(connection, Connection)
    return connection
