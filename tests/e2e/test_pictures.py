"""`make screenshot`: the README's pictures of the live page, with simulated posts."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.pictures import draw, only_on_request
from tests.e2e.site import Site, visit
from tests.system import system

pytestmark = [pytest.mark.pages, pytest.mark.timeout(900), only_on_request]


async def test_the_picture_of_the_live_page(browser: Browser, tmp_path: Path) -> None:
    # A short window, so that a few minutes show an alert.
    async with system(tmp_path / "local", ["--rate", "900"], {"ALERT_WINDOW_MINUTES": "2"}) as running:
        site = Site(running)
        async with visit(browser, site.url) as waiting:
            enough = waiting.page.get_by_test_id("total-posts")
            await expect(enough).to_have_attribute("data-value", re.compile(r"^[2-9]\d{3}$"), timeout=700_000)
        for theme in ("light", "dark"):
            async with visit(browser, site.url, theme=theme) as visited:
                page = visited.page
                await expect(page.get_by_test_id("feed-latency")).to_be_visible()
                await expect(page.locator(".skeleton")).to_have_count(0)
                await draw(page, f"live-{theme}")
