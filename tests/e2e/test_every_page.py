"""What holds for every page, at the size of a phone and of a desk, light and dark."""

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.site import SIZES, Site, Theme, visit

pytestmark = [pytest.mark.pages, pytest.mark.timeout(240)]

PAGES = {"/": "Live", "/explore": "Explore", "/alerts": "Alerts", "/inference": "Inference", "/try": "Try it"}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_accessible_and_fits(browser: Browser, site: Site, path: str, size: str, theme: Theme) -> None:
    """axe finds nothing, nothing sticks out, and the console stays empty."""
    async with visit(browser, site.url + path, size=size, theme=theme) as visited:
        page = visited.page
        await expect(page).to_have_title(f"{PAGES[path]} · Undertone")
        await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "connected")
        await expect(page.locator(".skeleton")).to_have_count(0)
        assert await visited.violations() == []
        assert await visited.width_beyond() <= 0
        assert visited.complaints == []


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("width", [320, 2560])
async def test_nothing_sticks_out_of_the_narrowest_and_the_widest_screen(
    browser: Browser, site: Site, path: str, width: int
) -> None:
    """320 px are a desk's page at 400 % (WCAG 1.4.10)."""
    async with visit(browser, site.url + path) as visited:
        await visited.page.set_viewport_size({"width": width, "height": 800})
        await expect(visited.page.get_by_test_id("connection")).to_have_attribute("data-state", "connected")
        await expect(visited.page.locator(".skeleton")).to_have_count(0)
        assert await visited.width_beyond() <= 0


@pytest.mark.parametrize("size", SIZES)
async def test_the_navigation_leads_everywhere_by_keyboard(browser: Browser, site: Site, size: str) -> None:
    """Each page is reached with Enter on its link; the heading and the focus follow, and so does going back."""
    async with visit(browser, site.url, size=size) as visited:
        page = visited.page
        for path, name in PAGES.items():
            await page.get_by_role("navigation").get_by_role("link", name=name, exact=True).focus()
            await page.keyboard.press("Enter")
            await expect(page).to_have_title(f"{name} · Undertone")
            assert page.url == site.url + path
            await expect(page.get_by_role("heading", level=1)).to_have_text(name)
            if path != "/":  # it was open already
                await expect(page.get_by_role("main")).to_be_focused()
        await page.go_back()
        await expect(page).to_have_title("Inference · Undertone")


async def test_an_address_that_is_no_page_says_so(browser: Browser, site: Site) -> None:
    async with visit(browser, site.url + "/nowhere") as visited:
        await visited.page.get_by_role("link", name="Back to the live page").click()
        await expect(visited.page).to_have_title("Live · Undertone")
        assert visited.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_page_follows_the_theme_of_the_system_until_told_otherwise(
    browser: Browser, site: Site, theme: Theme
) -> None:
    async with visit(browser, site.url, theme=theme) as visited:
        page, other = visited.page, "dark" if theme == "light" else "light"
        await expect(page.locator("html")).to_have_attribute("data-theme", theme)
        await page.get_by_role("radio", name=other.capitalize()).check(force=True)
        await page.reload()
        await expect(page.locator("html")).to_have_attribute("data-theme", other)
