"""How the sources are doing and the switch of each, on the page of a system whose ingester obeys."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.site import Site, Theme, visit

pytestmark = [pytest.mark.pages, pytest.mark.timeout(240)]


@pytest.mark.parametrize(("size", "theme"), [("phone", "dark"), ("desktop", "light")])
async def test_a_source_is_switched_off_and_on_again_by_keyboard(
    browser: Browser, site: Site, size: str, theme: Theme
) -> None:
    async with visit(browser, site.url + "/inference", size=size, theme=theme) as visited:
        page = visited.page
        row = page.get_by_role("row", name=re.compile("^simulate "))
        switch = row.get_by_role("checkbox", name="simulate is on")
        await expect(row).to_contain_text("Connected")
        await expect(row).to_contain_text("240\N{NO-BREAK SPACE}/min")
        try:
            await switch.focus()
            await page.keyboard.press("Space")
            dialog = page.get_by_role("dialog")
            await expect(dialog).to_contain_text("Switch simulate off?")
            assert await visited.violations() == []
            await dialog.get_by_role("button", name="Switch off").focus()
            await page.keyboard.press("Enter")
            await expect(dialog).to_have_count(0)
            await expect(switch).to_be_focused()
            await expect(switch).not_to_be_checked()
            await expect(row).to_have_attribute("data-state", "off")
            await expect(row).to_contain_text("Off")
            assert await visited.violations() == []
            assert await visited.width_beyond() <= 0
            await page.keyboard.press("Space")
            await expect(row).to_have_attribute("data-state", "connected")
            await expect(switch).to_be_checked()
        finally:
            # The other tests want its posts.
            await site.ask("PATCH", "/api/ingester/sources/simulate", {"enabled": True})
        assert visited.complaints == []
