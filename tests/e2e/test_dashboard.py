"""From a file to the eyes: posts and labels appear on the page of the whole, real system."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from services.common.messages import Post, encode_post
from tests.browser import launch
from tests.e2e.site import Site
from tests.posts import make_posts
from tests.system import alive, system
from tests.waiting import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

PLAIN = {
    "I love this so much, best day ever!!": ("positive", "joy"),
    "I am so angry, they lied to us again": ("negative", "anger"),
    "The train leaves at nine from platform two.": ("neutral", "neutral"),
}

expect.set_options(timeout=30_000)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        page = await browser.new_page(viewport={"width": 1440, "height": 1040}, device_scale_factor=1)
        page.set_default_timeout(20_000)
        yield page
        await browser.close()


def write_posts(path: Path, posts: list[Post]) -> Path:
    path.write_text("".join(json.dumps(encode_post(post)) + "\n" for post in posts))
    return path


async def test_posts_of_a_file_appear_with_their_labels(page: Page, tmp_path: Path) -> None:
    generated = make_posts(40)
    plain = [
        Post(post_id=f"plain-{i}", source="twitter", content=text, author="ada", created_at=generated[0].created_at)
        for i, text in enumerate(PLAIN)
    ]
    file = write_posts(tmp_path / "posts.jsonl", [*generated, *plain])
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    async with system(tmp_path / "local", ["--source", "replay", "--file", str(file), "--rate", "600"]) as running:
        await page.goto(running.url)
        await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "connected")
        feed, written = page.get_by_role("feed"), page.get_by_label("Filter the feed by text")
        await expect(feed).to_have_attribute("data-count", str(len(generated) + len(plain)))
        for i, (text, (sentiment, emotion)) in enumerate(PLAIN.items()):
            await written.fill(text)
            item = page.locator(f'[data-testid="feed-item"][data-post-id="plain-{i}"]')
            await expect(item).to_contain_text(text)
            await expect(item).to_have_attribute("data-sentiment", sentiment)
            await expect(item).to_have_attribute("data-emotion", emotion)
            await expect(item).to_contain_text(re.compile(sentiment, re.IGNORECASE))
            await expect(item).to_contain_text(re.compile(r"\d+\s%"))
        await expect(page.get_by_test_id("total-posts")).to_have_attribute(
            "data-value", str(len(generated) + len(plain))
        )
        await expect(page.get_by_test_id("sentiment-chart")).to_be_visible()
        await expect(page.get_by_test_id("emotion-joy")).to_be_visible()

        async def all_are_counted() -> bool:
            health = await running.get("/api/health")  # which keeps its numbers for a while
            return bool(health) and health["stats"]["total_posts"] == len(generated) + len(plain)

        await eventually(all_are_counted, "health counts every post")
        assert (await running.get("/api/health"))["status"] == "healthy"
        assert errors == []
        children = running.descendants()
        assert await running.stop() == 0, running.output
    assert not alive(children)


async def test_the_page_heals_when_the_api_was_away(page: Page, tmp_path: Path) -> None:
    """What arrived while the API was dead is in the feed as what comes after it, and the counts are those of both."""
    first, missed, later = make_posts(30), make_posts(150, seed=1, prefix="missed"), make_posts(20, seed=2)
    file = write_posts(tmp_path / "posts.jsonl", first)
    arguments = ["--source", "replay", "--file", str(file), "--rate", "6000"]
    # What computes is nothing that it depends on: what is quick to start.
    async with system(tmp_path / "local", arguments, {"CPU_RUNTIME": "onnxruntime"}) as running:
        site = Site(running)
        await page.goto(running.url)
        connection, feed = page.get_by_test_id("connection"), page.get_by_role("feed")
        await expect(connection).to_have_attribute("data-state", "connected")
        await expect(feed).to_have_attribute("data-count", str(len(first)))
        running.kill("api")
        await site.publish(missed)
        await expect(connection).not_to_have_attribute("data-state", "connected")
        await expect(connection).to_have_attribute("data-state", "connected", timeout=60_000)
        await site.publish(later)
        together = str(len(first) + len(missed) + len(later))
        await expect(feed).to_have_attribute("data-count", together, timeout=60_000)
        await expect(page.get_by_test_id("total-posts")).to_have_attribute("data-value", together)
        await expect(page.get_by_test_id("sentiment-chart")).to_contain_text(f"{together}\N{NO-BREAK SPACE}posts")
