"""A connection that is reset in the moment when something is sent: uvloop, which the services run on, says so in its
own way. It is a dependency that is away like any other, never the end of a service."""

from typing import Any

import asyncpg
import pytest
import uvloop

from services.common.database import database_errors
from services.common.errors import Transient
from services.common.streams import open_redis, redis_errors


def test_a_redis_connection_that_is_reset_while_it_is_used_is_transient(redis_server: str) -> None:
    async def use() -> None:
        async with open_redis(redis_server) as redis:
            connection: Any = await redis.connection_pool.get_connection()  # type: ignore[no-untyped-call] # untyped there
            connection._writer.transport.abort()
            with redis_errors():
                await connection.send_command("PING")

    with pytest.raises(Transient, match="the connection is closed"):
        uvloop.run(use())


def test_a_database_connection_that_is_reset_while_it_is_used_is_transient(postgres: str) -> None:
    async def use() -> None:
        connection: Any = await asyncpg.connect(postgres)
        connection._transport.abort()
        with database_errors():
            await connection.fetchval("SELECT 1")

    with pytest.raises(Transient):
        uvloop.run(use())


def test_a_fault_of_our_own_is_none_of_redis() -> None:
    with pytest.raises(RuntimeError, match="ours"), redis_errors():
        raise RuntimeError("ours")
