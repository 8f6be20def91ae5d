"""What the tests of the API share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from services.common.database import open_pool
from services.common.settings import Settings
from tests.integration.test_api_server import Api, running_api


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the test's own database."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    """As a service has one, to the same database."""
    async with open_pool(database_url, max_size=10) as pool:
        yield pool


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    """An API in the test's own process, on that database."""
    async with running_api(settings) as running:
        yield running


@pytest.fixture(scope="session")
def small_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings that lead to a Triton with small models, and to its metrics; nobody else asks it."""
    from tests.integration.triton_server import running_triton
    from tests.integration.version_repositories import make_repository

    folder = tmp_path_factory.mktemp("small-triton")
    repository = make_repository(folder / "repository").folder
    with running_triton(folder, repository) as running:
        yield triton_settings_for(running.grpc_port, running.metrics_port, repository)


def triton_settings_for(grpc_port: int, metrics_port: int, repository: Path) -> Settings:
    return Settings(
        _env_file=None,
        triton_url=f"127.0.0.1:{grpc_port}",
        triton_metrics_url=f"http://127.0.0.1:{metrics_port}/metrics",
        model_repository=repository,
    )


@pytest.fixture
def small_triton_settings(settings: Settings, small_triton: Settings) -> Settings:
    """The test's own database and stream, and that Triton."""
    theirs = small_triton.model_dump(include={"triton_url", "triton_metrics_url", "model_repository"})
    return settings.model_copy(update=theirs)
