"""What the tests of the API share."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.common.settings import Settings
from tests.integration.test_api_server import Api, running_api


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the test's own database."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    """An API in the test's own process, on that database."""
    async with running_api(settings) as running:
        yield running
