"""`make screenshot`: the README's pictures of the pages, with simulated posts."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.pictures import draw, only_on_request
from tests.e2e.site import Site, visit
from tests.system import system
from tests.waiting import eventually

pytestmark = [pytest.mark.pages, pytest.mark.timeout(1_200), only_on_request]

# Rare enough to be calm at times, frequent enough to be raised within minutes.
RULE = {
    "name": "Anger on Twitter",
    "kind": "emotion_ratio",
    "emotion": "anger",
    "source": "twitter",
    "threshold": 0.08,
    "window_minutes": 2,
    "min_posts": 20,
}


async def test_the_pictures(browser: Browser, tmp_path: Path) -> None:
    # A short window, so that a few minutes show an alert.
    async with system(tmp_path / "local", ["--rate", "900"], {"ALERT_WINDOW_MINUTES": "2"}) as running:
        site = Site(running)
        await site.ask("POST", "/api/alert-rules", RULE)
        async with visit(browser, site.url) as waiting:
            enough = waiting.page.get_by_test_id("total-posts")
            await expect(enough).to_have_attribute("data-value", re.compile(r"^[2-9]\d{3}$"), timeout=700_000)
        await live(browser, site)
        await inference(browser, site)
        await alert(browser, site)
        await journey(browser, site)
        await try_it(browser, site)


async def live(browser: Browser, site: Site) -> None:
    for theme in ("light", "dark"):
        async with visit(browser, site.url, theme=theme) as visited:
            await expect(visited.page.get_by_test_id("feed-latency")).to_be_visible()
            await expect(visited.page.locator(".skeleton")).to_have_count(0)
            await draw(visited.page, f"live-{theme}")


async def inference(browser: Browser, site: Site) -> None:
    async with visit(browser, f"{site.url}/inference") as visited:
        await expect(visited.page.get_by_text("for 95 %")).to_be_visible()
        await expect(visited.page.locator(".skeleton")).to_have_count(0)
        await draw(visited.page, "inference")


async def alert(browser: Browser, site: Site) -> None:
    async def raised() -> object:
        page = await site.get("/api/alerts")
        return next((each["id"] for each in page["alerts"] if each["rule_name"] == RULE["name"]), None)

    number = await eventually(raised, "the rule fires", 400)
    async with visit(browser, f"{site.url}/alerts?alert={number}") as visited:
        await expect(visited.page.get_by_role("dialog")).to_be_visible()
        await expect(visited.page.locator(".skeleton")).to_have_count(0)
        await draw(visited.page, "alert")


async def journey(browser: Browser, site: Site) -> None:
    (post,) = (await site.get("/api/posts?limit=1&source=reddit"))["posts"]
    async with visit(browser, f"{site.url}/explore?sentiment=positive&post={post['post_id']}") as visited:
        await expect(visited.page.get_by_role("dialog").get_by_role("table")).to_be_visible()
        await draw(visited.page, "journey")


async def try_it(browser: Browser, site: Site) -> None:
    async with visit(browser, f"{site.url}/try") as visited:
        await visited.page.get_by_role("button", name="I was so scared").click()
        await expect(visited.page.get_by_test_id("try-sentiment")).to_be_visible()
        await draw(visited.page, "try")
