"""What faults act upon: the processes, the connections, and the servers, which the test reaches without a proxy."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import asyncpg
import psutil
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tests.chaos.proxy import Proxy
from tests.system import PROGRAMS, System

T = TypeVar("T")

STREAM, GROUP = "social_posts_stream", "sentiment_workers"
# What the command line of each process has in it; workers differ by their metrics port only.
WORDS = PROGRAMS | {"ingester": "tests.chaos.ingester"}
# The supervisor waits up to 30 s before it starts again what fell over time after time.
VICTIM_TIMEOUT_S = 90.0
SERVER_TIMEOUT_S = 180.0
CONNECT_TIMEOUT_S = 3.0
COMMAND_TIMEOUT_S = 10.0
POLL_S = 0.1
DATABASE_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
REDIS_ERRORS = (OSError, TimeoutError, RedisError)


class NoVictim(Exception):
    """What was to be struck was not there, for a long time."""


@dataclass(frozen=True)
class Scene:
    """`proxies` by the name of the server behind each; `flood` adds more to the stream than its limit allows."""

    system: System
    proxies: Mapping[str, Proxy]
    redis: Redis
    flood: Callable[[], Awaitable[None]]

    def find(self, name: str) -> psutil.Process | None:
        """The process itself, not those that it started; None while it does not run."""
        program, _, number = name.partition("-")
        for process in self._children():
            with suppress(psutil.NoSuchProcess):  # ended, or a zombie, while we looked
                if any(WORDS[program] in word for word in process.cmdline()) and (
                    not number or process.environ().get("WORKER_METRICS_PORT") == str(self.metrics_port(name))
                ):
                    return process
        return None

    def metrics_port(self, worker: str) -> int:
        return self.system.ports["WORKER_METRICS_PORT"] + int(worker.partition("-")[2]) - 1

    def _children(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):  # the whole system has ended
            return psutil.Process(self.system.process.pid).children()
        return []

    async def victim(self, name: str) -> psutil.Process:
        """The process, as soon as there is one; NoVictim if it never comes."""
        until = time.monotonic() + VICTIM_TIMEOUT_S
        while time.monotonic() < until:
            if found := self.find(name):
                return found
            await asyncio.sleep(POLL_S)
        raise NoVictim(name)

    async def connect(self) -> asyncpg.Connection:
        """To the database, as its owner; one of DATABASE_ERRORS while it is away."""
        secrets = json.loads((self.system.local_dir / "secrets.json").read_text())
        return await asyncpg.connect(
            host="127.0.0.1",
            port=self.system.ports["LOCAL_POSTGRES_PORT"],
            user="undertone",
            password=secrets["postgres"],
            database="undertone",
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
        )


def open_direct_redis(system: System) -> Redis:
    """A client past the proxy, which gives up after seconds: what it does is tried again anyway."""
    password = json.loads((system.local_dir / "secrets.json").read_text())["redis"]
    return Redis(
        host="127.0.0.1",
        port=system.ports["LOCAL_REDIS_PORT"],
        password=password,
        socket_timeout=COMMAND_TIMEOUT_S,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


async def persist(action: Callable[[], Awaitable[T]]) -> T:
    """The result of `action`, once its server is there; the last of its errors if that takes minutes."""
    until = time.monotonic() + SERVER_TIMEOUT_S
    while True:
        try:
            return await action()
        except (*REDIS_ERRORS, *DATABASE_ERRORS):
            if time.monotonic() > until:
                raise
        await asyncio.sleep(POLL_S)
