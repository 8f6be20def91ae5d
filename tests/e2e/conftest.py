"""A running system and a browser for the tests of the pages."""

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.browser import launch
from tests.e2e.hook import Hook, listening
from tests.e2e.site import Site, running_site

# The machine may be busy; what never comes still fails.
expect.set_options(timeout=30_000)
POSTS_PER_MINUTE = 240


@pytest.fixture(scope="session")
def hook() -> Iterator[Hook]:
    """The receiver of the site's webhook `ops`."""
    with listening() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, hook: Hook) -> Iterator[Site]:
    """The whole system with simulated posts, four a second, shared by the tests: each brings posts of its own."""
    # A short window, so that the few minutes of a test run are enough for an alert.
    settings = {"ALERT_WINDOW_MINUTES": "1", "ALERT_INTERVAL_S": "2", "ALERT_WEBHOOKS": f"ops={hook.url}"}
    arguments = ["--rate", str(POSTS_PER_MINUTE)]
    with running_site(tmp_path_factory.mktemp("site") / "local", arguments, settings) as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await launch(playwright)
        yield launched
        await launched.close()
