"""The journey of a post: a dialog over any page, that the address opens, against the real back end."""

import re
import uuid
from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser, Page, expect

from services.common.messages import Post
from tests.e2e.site import SIZES, Site, Theme, visit
from tests.waiting import eventually

pytestmark = [pytest.mark.pages, pytest.mark.timeout(240)]

STEPS = ["written", "queued", "read", "tokenized", "inferred_sentiment", "inferred_emotion", "stored", "pushed"]


async def stored_post(site: Site) -> Post:
    """One of our own, whose whole way is known."""
    word = uuid.uuid4().hex
    post = Post(
        post_id=f"journey-{word}",
        source="reddit",
        content=f"I love this train, {word}",
        author="ada",
        created_at=datetime.now(UTC),
    )
    await site.store([post])

    async def is_whole() -> bool:
        journey = await site.get(f"/api/posts/journey?post_id={post.post_id}")
        return journey is not None and journey["total_ms"] is not None

    await eventually(is_whole, "the journey is known to its end", 60)
    return post


async def expect_open(page: Page, post: Post) -> None:
    await expect(page.get_by_role("dialog")).to_contain_text(post.content)


async def test_a_link_opens_the_journey_and_back_closes_it(browser: Browser, site: Site) -> None:
    """By keyboard: Enter on the link opens, Back, Escape and the cross close; the filters and the focus stay."""
    post = await stored_post(site)
    listed = f"{site.url}/explore?search={post.content[-32:]}"
    async with visit(browser, listed) as visited:
        page = visited.page
        link = page.get_by_test_id("found-post").get_by_role("link", name="Journey of this post of ada")
        dialog = page.get_by_role("dialog", name="Journey of a post")
        for close in ("back", "Escape", "cross"):
            await link.focus()
            await page.keyboard.press("Enter")
            await expect_open(page, post)
            assert page.url == f"{listed}&post={post.post_id}"
            await expect(dialog.locator(":focus")).to_have_count(1)
            if close == "back":
                await page.go_back()
            elif close == "Escape":
                await page.keyboard.press("Escape")
            else:
                await dialog.get_by_role("button", name="Close").click()
            await expect(dialog).to_have_count(0)
            await expect(page).to_have_url(listed)
            await expect(link).to_be_focused()
        await page.go_forward()
        await expect_open(page, post)
        assert visited.complaints == []


@pytest.mark.parametrize("path", ["/", "/alerts", "/try"])
async def test_an_address_opens_the_journey_on_every_page(browser: Browser, site: Site, path: str) -> None:
    """Closing it takes away that parameter and nothing else."""
    post = await stored_post(site)
    async with visit(browser, f"{site.url}{path}?kept=1&post={post.post_id}&more=2") as visited:
        page = visited.page
        await expect_open(page, post)
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(page).to_have_url(f"{site.url}{path}?kept=1&more=2")


async def test_every_step_is_there_in_numbers_and_as_a_bar(browser: Browser, site: Site) -> None:
    """The table has the numbers of the API; each bar ends where its step did, on an axis from the stream on."""
    post = await stored_post(site)
    journey = await site.get(f"/api/posts/journey?post_id={post.post_id}")
    by_name = {step["name"]: step for step in journey["steps"]}
    assert list(by_name) == STEPS
    async with visit(browser, f"{site.url}/explore?post={post.post_id}") as visited:
        page = visited.page
        await expect_open(page, post)
        assert await page.locator("[data-testid^=step-]").count() == len(STEPS)
        queued_at = datetime.fromisoformat(by_name["queued"]["at"])
        done_ms = {
            name: (datetime.fromisoformat(step["at"]) - queued_at).total_seconds() * 1_000
            for name, step in by_name.items()
            if name != "written"
        }
        box = await page.locator(".journey-bar-line").first.bounding_box()
        assert box is not None
        for name, after_ms in done_ms.items():
            row = page.get_by_test_id(f"step-{name}")
            cells = await row.get_by_role("cell").all_inner_texts()
            assert abs(milliseconds(cells[-1]) - after_ms) <= 0.01 * after_ms + 0.01, name
            if by_name[name]["took_ms"] is not None and name != "queued":
                assert abs(milliseconds(cells[-2]) - by_name[name]["took_ms"]) <= 0.01 * by_name[name]["took_ms"] + 0.01
            bar = await row.locator(".journey-bar").bounding_box()
            assert bar is not None
            ends = (bar["x"] + bar["width"] - box["x"]) / box["width"]
            # A bar of no length is still some pixels wide.
            assert abs(ends - after_ms / max(done_ms.values())) < 0.03, name
        total = await page.get_by_test_id("journey-total").inner_text()
        assert abs(milliseconds(total) - journey["total_ms"]) <= 0.01 * journey["total_ms"] + 0.01
        await expect(page.get_by_test_id("step-written")).to_contain_text("before")
        await expect(page.get_by_role("dialog")).to_contain_text(journey["batch"]["worker"])


def milliseconds(text: str) -> float:
    match = re.fullmatch(r"([\d.]+)\s(ms|s|min)", text)
    assert match, text
    return float(match[1]) * {"ms": 1, "s": 1_000, "min": 60_000}[match[2]]


async def test_a_post_that_is_not_there_is_said_not_to_be(browser: Browser, site: Site) -> None:
    async with visit(browser, f"{site.url}/?post=no-such-post") as visited:
        page = visited.page
        await expect(page.get_by_role("dialog")).to_contain_text("There is no such post")
        await expect(page.get_by_role("dialog")).to_contain_text("“no-such-post”")
        assert await visited.violations() == []
        await page.get_by_role("button", name="Close").click()
        await expect(page).to_have_url(f"{site.url}/")
        await expect(page.get_by_role("main")).to_be_focused()


async def test_what_was_not_recorded_is_said_not_to_be(browser: Browser, site: Site) -> None:
    """The recorded moments are taken out of a real answer, as they lack in posts of before there were any."""
    post = await stored_post(site)
    journey = await site.get(f"/api/posts/journey?post_id={post.post_id}")
    for step in journey["steps"]:
        if step["name"] not in ("written", "stored"):
            step |= {"at": None, "took_ms": None, "queue_ms": None, "compute_ms": None}
    journey |= {"batch": None, "total_ms": None}
    async with visit(browser, f"{site.url}/try") as visited:
        page = visited.page
        await page.route("**/api/posts/journey**", lambda route: route.fulfill(json=journey))
        await page.goto(f"{site.url}/try?post={post.post_id}")
        await expect_open(page, post)
        for name in ("queued", "read", "tokenized", "inferred_sentiment", "inferred_emotion", "pushed"):
            await expect(page.get_by_test_id(f"step-{name}")).to_contain_text("not recorded")
        await expect(page.get_by_test_id("step-stored")).not_to_contain_text("not recorded")
        await expect(page.get_by_test_id("journey-total")).to_have_text("not recorded")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
async def test_the_dialog_is_accessible_and_fits(browser: Browser, site: Site, size: str, theme: Theme) -> None:
    post = await stored_post(site)
    async with visit(browser, f"{site.url}/explore?post={post.post_id}", size=size, theme=theme) as visited:
        page = visited.page
        await expect_open(page, post)
        await expect(page.get_by_test_id("step-pushed")).to_be_attached()
        assert await visited.violations() == []
        dialog = page.get_by_role("dialog")
        assert await dialog.evaluate("each => each.scrollWidth - each.clientWidth") <= 0
        assert visited.complaints == []
