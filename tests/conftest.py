"""Real servers for every test that asks for one: started once, each test with a database and keys of its own."""

import functools
import itertools
import os
import signal
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import certifi
import pytest
import redis.asyncio

from services.common.migrations.apply import migrate
from services.common.settings import Settings
from tests.embedded import running_postgres, running_redis

ROOT = Path(__file__).parents[1]
_numbers = itertools.count()


def pytest_configure() -> None:
    """Who runs the tests in the background of a shell ignores Ctrl-C, and so would every process that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def read_authorities_once() -> Iterator[None]:
    """Every HTTP client reads the certificates of all authorities, which takes longer than most tests."""
    create = ssl.create_default_context
    of_all = functools.cache(create)

    def create_or_share(*args: Any, **options: Any) -> ssl.SSLContext:
        # Contexts with other certificates are changed by those who make them.
        is_of_all = not args and options in ({"cafile": certifi.where()}, {"cafile": os.environ.get("SSL_CERT_FILE")})
        return (of_all if is_of_all else create)(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", create_or_share)
        yield


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a real PostgreSQL."""
    with running_postgres(tmp_path_factory.mktemp("postgres"), fsync=False) as dsn:
        yield dsn


async def _template(dsn: str) -> str:
    """A migrated database, another one each day: its partitions begin with the day on which it was made."""
    name = f"undertone_test_template_{datetime.now(UTC):%Y%m%d}"
    admin = await asyncpg.connect(dsn)
    try:
        if not await admin.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name):
            await admin.execute(f"CREATE DATABASE {name}")
            await migrate(with_database(dsn, name))
    finally:
        await admin.close()
    return name


def with_database(dsn: str, database: str) -> str:
    return f"{dsn.rpartition('/')[0]}/{database}"


@pytest.fixture
async def empty_database_url(postgres: str) -> AsyncIterator[str]:
    """A database of the test's own, with nothing in it."""
    async for url in _database(postgres, "template0"):
        yield url


@pytest.fixture
async def database_url(postgres: str) -> AsyncIterator[str]:
    """A database of the test's own, migrated."""
    async for url in _database(postgres, await _template(postgres)):
        yield url


async def _database(dsn: str, template: str) -> AsyncIterator[str]:
    name = f"undertone_test_{os.getpid()}_{next(_numbers)}"
    admin = await asyncpg.connect(dsn)
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield with_database(dsn, name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real Redis (Valkey)."""
    with running_redis(tmp_path_factory.mktemp("redis"), appendfsync="no") as url:
        yield url


@pytest.fixture
async def redis_url(redis_server: str) -> AsyncIterator[str]:
    """The same server, empty."""
    client = redis.asyncio.Redis.from_url(redis_server)
    await client.flushall()
    yield redis_server
    await client.aclose()


@pytest.fixture
def stream_name() -> str:
    """A stream of the test's own."""
    return f"posts_test_{next(_numbers)}"


@pytest.fixture
def settings(database_url: str, redis_url: str, stream_name: str) -> Settings:
    """Settings of a service on the test's own database and stream; Triton is not there."""
    return make_settings(database_url, redis_url, stream_name, "127.0.0.1:1")


@pytest.fixture
def triton_settings(settings: Settings, triton: str) -> Settings:
    """The same with a real Triton that serves the project's models."""
    return settings.model_copy(update={"triton_url": triton})


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port` of a real Triton that serves the project's models."""
    from tests.integration.triton_server import running_triton

    with running_triton(tmp_path_factory.mktemp("triton"), ROOT / "model_repository") as (grpc_port, _, _):
        yield f"127.0.0.1:{grpc_port}"


def make_settings(database_url: str, redis_url: str, stream: str, triton: str) -> Settings:
    return Settings(
        _env_file=None,
        database_url=database_url,
        redis_url=redis_url,
        redis_stream_name=stream,
        triton_url=triton,
        model_repository=ROOT / "model_repository",
        worker_claim_idle_ms=500,
        worker_block_ms=100,
        worker_metrics_port=0,
        ingester_metrics_port=0,
        inference_timeout_s=20,
    )


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment of a service process with these settings."""
    own = {name.upper(): str(value) for name, value in settings.model_dump().items()}
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONUNBUFFERED": "1"} | own
