"""Explore: every stored post, by text, labels, confidence and time, against the real back end."""

import csv
import json
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from services.common.messages import Post
from tests.e2e.site import Site, Theme, visit

pytestmark = [pytest.mark.pages, pytest.mark.timeout(240)]

TEXTS = ("I love this train so much", "I am so angry, they lied to us", "The train leaves at nine from platform two.")
AT_THE_BOTTOM = "window.scrollY + window.innerHeight >= document.documentElement.scrollHeight - 2"
LABELS = ("positive", "negative", "neutral")


def unique() -> str:
    return f"word{uuid.uuid4().hex[:12]}"


def posts_with(word: str, texts: Sequence[str], **changes: Any) -> list[Post]:
    now = datetime.now(UTC).replace(microsecond=0)
    return [
        Post(
            **{
                "post_id": f"{word}-{i}",
                "source": f"source-{word}" if i == 0 else "reddit",
                "content": f"{text} {word}",
                "author": f"author{i}",
                "created_at": now - timedelta(minutes=i),
                **changes,
            }
        )
        for i, text in enumerate(texts)
    ]


def found(page: Page) -> Locator:
    return page.get_by_test_id("found-post")


async def expect_found(page: Page, ids: Sequence[str]) -> None:
    """Exactly these posts are listed, in whatever order: a batch is stored in one instant."""
    await expect(page.locator(".explore-end")).to_have_text("That is all." if ids else "")
    for each in ids:
        await expect(page.locator(f'[data-testid="found-post"][data-post-id="{each}"]')).to_have_count(1)
    await expect(found(page)).to_have_count(len(ids))


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


async def test_a_filter_narrows_the_list_and_is_a_step_to_go_back(browser: Browser, site: Site) -> None:
    """Back and forward go through the filters one by one; what is typed letter by letter is one step."""
    word = unique()
    posts = posts_with(word, TEXTS)
    await site.store(posts)
    everything = [post.post_id for post in posts]
    async with visit(browser, site.url + "/explore") as visited:
        page = visited.page
        search = page.get_by_label("Text that the posts contain")
        await search.press_sequentially(word)
        await expect_found(page, everything)
        await expect(page.locator(".panel-note")).to_have_text(re.compile(r"^3\sposts$"))
        assert query_of(page) == {"search": [word]}

        for post, label in zip(posts, LABELS, strict=True):
            await page.get_by_role("radio", name=label.capitalize()).check(force=True)
            await expect_found(page, [post.post_id])
            assert query_of(page) == {"search": [word], "sentiment": [label]}
        await page.go_back()
        await expect_found(page, [posts[1].post_id])
        await expect(page.get_by_role("radio", name="Negative")).to_be_checked()
        await page.go_back()
        await page.go_back()
        await expect_found(page, everything)
        await page.go_forward()
        await expect_found(page, [posts[0].post_id])

        await page.get_by_role("button", name="Reset all").click()
        await expect(search).to_have_value("")
        assert query_of(page) == {}
        await search.fill(word)
        await expect_found(page, everything)
        assert visited.complaints == []


async def test_every_filter_narrows_the_list_and_is_in_the_address(browser: Browser, site: Site) -> None:
    """Emotion, source and confidence; what makes no sense is told, and the list stays."""
    word = unique()
    posts = posts_with(word, TEXTS)
    await site.store(posts)
    everything = [post.post_id for post in posts]
    stored = {post["post_id"]: post["sentiment"] for post in (await site.get(f"/api/posts?search={word}"))["posts"]}
    async with visit(browser, f"{site.url}/explore?search={word}") as visited:
        page = visited.page
        await expect_found(page, everything)
        emotion = stored[posts[1].post_id]["emotion"].lower()
        await page.get_by_label("Emotion").select_option(emotion)
        await expect_found(page, [id for id in everything if stored[id]["emotion"].lower() == emotion])
        assert query_of(page) == {"search": [word], "emotion": [emotion]}
        await page.get_by_label("Emotion").select_option("")

        source = page.get_by_label("Source")
        await source.fill(posts[0].source)
        await source.press("Enter")
        await expect_found(page, [posts[0].post_id])
        assert query_of(page) == {"search": [word], "source": [posts[0].source]}
        await source.fill("")
        await source.press("Enter")
        await expect_found(page, everything)

        by_confidence = sorted(everything, key=lambda id: stored[id]["confidence"])
        middle = stored[by_confidence[1]]["confidence"]
        await page.get_by_label("From per cent").fill(f"{100 * middle:.4f}")
        await expect_found(page, by_confidence[1:])
        await page.get_by_label("To per cent").fill("1")
        await expect(page.get_by_role("alert")).to_have_text("“From” is more than “To”.")
        await expect_found(page, by_confidence[1:])
        await page.get_by_label("From per cent").fill("")
        await expect_found(page, [])
        await expect(page.get_by_text("No posts match")).to_be_visible()
        assert visited.complaints == []


async def test_time_ranges_go_back_from_now_or_from_a_day_to_another(browser: Browser, site: Site) -> None:
    """The time is when a post was written; what is typed is in the time of the browser, here UTC."""
    word = unique()
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    posts = [
        posts_with(f"{word}{name}", [word], created_at=now - age)[0]
        for name, age in {"new": timedelta(minutes=1), "hours": timedelta(hours=5), "days": timedelta(days=3)}.items()
    ]
    await site.store(posts)
    ids = [post.post_id for post in posts]
    async with visit(browser, f"{site.url}/explore?search={word}") as visited:
        page = visited.page
        for name, expected in {"15 min": ids[:1], "24 h": ids[:2], "7 days": ids}.items():
            await page.get_by_role("radio", name=name).check(force=True)
            await expect_found(page, expected)
        await page.get_by_role("radio", name="Custom").check(force=True)
        await page.get_by_label("From", exact=True).fill(f"{now - timedelta(hours=6):%Y-%m-%dT%H:%M}")
        await expect_found(page, ids[:2])
        await page.get_by_label("Until").fill(f"{now - timedelta(hours=4):%Y-%m-%dT%H:%M}")
        await expect_found(page, ids[1:2])
        assert query_of(page)["end_date"] == [f"{now - timedelta(hours=4):%Y-%m-%dT%H:%M:%SZ}"]
        await page.reload()
        await expect_found(page, ids[1:2])
        await page.get_by_label("Until").fill(f"{now - timedelta(hours=9):%Y-%m-%dT%H:%M}")
        await expect(page.get_by_text("“From” has to be before “Until”.")).to_be_visible()
        await expect_found(page, ids[1:2])


async def test_a_post_tells_what_is_known_of_it_and_markup_in_it_is_text(browser: Browser, site: Site) -> None:
    word = unique()
    [post] = posts_with(word, ["<img src=x onerror=alert(1)> I LOVE & love it <b>so</b>"])
    await site.store([post])
    [stored] = (await site.get(f"/api/posts?search={word}"))["posts"]
    async with visit(browser, f"{site.url}/explore?search=love+%26+LOVE") as visited:
        page = visited.page
        await page.get_by_label("Source").fill(post.source)
        item = found(page).and_(page.locator(f"[data-post-id={post.post_id}]"))
        await expect(item.locator(".explore-text")).to_have_text(post.content)
        await expect(item.locator("mark")).to_have_text(["LOVE & love"])
        assert await item.locator("img, b").count() == 0
        sentiment = stored["sentiment"]
        await expect(item).to_contain_text(post.source)
        await expect(item).to_contain_text(post.author)
        await expect(item).to_contain_text(re.compile(rf"{sentiment['label']}\s?>?{_percent(sentiment)}\s%", re.I))
        await expect(item).to_contain_text(sentiment["emotion"].capitalize())
        await expect(item).to_contain_text(f"{sentiment['model_name']}, version {sentiment['model_version']}")
        for name, moment in {"Written": stored["created_at"], "Stored": stored["ingested_at"]}.items():
            at = datetime.fromisoformat(moment)
            await expect(item).to_contain_text(f"{name} {at.day} {at:%b %Y, %H:%M:%S}")
        assert visited.complaints == []


def _percent(sentiment: dict[str, Any]) -> int:
    percent = 100 * sentiment["confidence"]
    return 99 if 99 < percent < 100 else round(percent)


async def test_a_shared_link_shows_the_same_and_what_makes_no_sense_is_told(browser: Browser, site: Site) -> None:
    word = unique()
    posts = posts_with(word, TEXTS)
    await site.store(posts)
    link = f"{site.url}/explore?search={word}&sentiment=negative&min_confidence=2&range=ever"
    async with visit(browser, link) as visited:
        page = visited.page
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await expect_found(page, [posts[1].post_id])
        ignored = page.get_by_label("Ignored parts of the address").get_by_role("listitem")
        assert len(await ignored.all()) == 2
        await page.get_by_role("button", name="Copy link").press("Enter")
        await expect(page.get_by_text("Copied")).to_be_attached()
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied == f"{site.url}/explore?search={word}&sentiment=negative"
        await page.goto(copied)
        await expect_found(page, [posts[1].post_id])
        await expect(ignored).to_have_count(0)


async def test_the_export_has_the_posts_of_the_list(browser: Browser, site: Site) -> None:
    """CSV and JSON, downloaded by keyboard, hold exactly the matching posts, formulas made harmless in the CSV."""
    word = unique()
    posts = posts_with(word, [*TEXTS, '=HYPERLINK("http://example.org"), "quoted"\nand a second line'])
    await site.store(posts)
    contents = {post.post_id: post.content for post in posts}
    async with visit(browser, f"{site.url}/explore?search={word}") as visited:
        page = visited.page
        await expect_found(page, list(contents))
        await page.get_by_role("button", name="Export").press("Enter")
        await expect(page.get_by_text("All posts that match are in the file")).to_be_visible()
        assert await visited.violations() == []
        files = {}
        for name in ("CSV", "JSON"):
            async with page.expect_download() as downloading:
                await page.get_by_role("link", name=name, exact=True).press("Enter")
            download = await downloading.value
            assert download.suggested_filename.endswith(f".{name.lower()}")
            files[name] = (await download.path()).read_bytes().decode()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("link", name="CSV")).to_have_count(0)
        await expect(page.get_by_role("button", name="Export")).to_be_focused()
    assert {each["post_id"]: each["content"] for each in json.loads(files["JSON"])} == contents
    rows = {row["post_id"]: row for row in csv.DictReader(files["CSV"].splitlines(keepends=True))}
    assert {id: row["content"].removeprefix("'") for id, row in rows.items()} == contents
    assert rows[posts[3].post_id]["content"].startswith("'=")
    assert rows[posts[0].post_id]["sentiment"] == "positive"


async def test_hundreds_of_posts_are_paged_and_only_those_in_sight_are_there(browser: Browser, site: Site) -> None:
    """Scrolling to the end brings page after page, each post once; the document never holds them all."""
    word = unique()
    posts = posts_with(word, [f"Number {i}" for i in range(230)])
    await site.store(posts)
    async with visit(browser, f"{site.url}/explore?search={word}") as visited:
        page = visited.page
        await expect(page.locator(".panel-note")).to_have_text(re.compile(r"^230\sposts$"))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/api/posts?" in request.url else None)
        seen: set[str | None] = set()
        end = page.get_by_text("That is all.")
        for _ in range(80):
            ids = await found(page).evaluate_all("all => all.map(each => each.dataset.postId)")
            assert len(ids) < 40
            seen.update(ids)
            if await end.count() and await page.evaluate(AT_THE_BOTTOM):
                break
            await page.evaluate("window.scrollBy(0, window.innerHeight * 0.8)")
            await page.wait_for_function("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50, true)))")
        await expect(end).to_be_in_viewport()
        assert seen == {post.post_id for post in posts}
        cursors = [parse_qs(urlsplit(url).query)["cursor"] for url in asked]
        assert len(cursors) == 4
        assert visited.complaints == []


async def test_posts_that_come_after_the_search_are_announced(browser: Browser, site: Site) -> None:
    """The list does not move by itself; one key press searches again."""
    word = unique()
    posts = posts_with(word, TEXTS)
    await site.store(posts[:1])
    async with visit(browser, f"{site.url}/explore?search={word}") as visited:
        page = visited.page
        await expect_found(page, [posts[0].post_id])
        await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "connected")
        again = page.get_by_role("button", name="search again")
        await expect(again).to_have_count(0)
        await site.store(posts[1:2])
        await expect(again).to_be_visible()
        await expect_found(page, [posts[0].post_id])
        assert await visited.violations() == []
        await again.press("Enter")
        await expect_found(page, [post.post_id for post in posts[:2]])
        await expect(again).to_have_count(0)
        await expect(page.locator(".explore-box")).to_be_focused()


async def test_sources_are_suggested(browser: Browser, site: Site) -> None:
    word = unique()
    await site.store(posts_with(word, TEXTS))
    async with visit(browser, site.url + "/explore") as visited:
        options = visited.page.locator("datalist option")
        await expect(options.and_(visited.page.locator('[value="reddit"]'))).to_have_count(1)
        sources = (await site.get("/api/sources?minutes=10080"))["sources"]
        assert {each["source"] for each in sources} >= {"reddit"}


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_on_a_phone_the_filters_are_folded_until_they_are_wanted(
    browser: Browser, site: Site, theme: Theme
) -> None:
    word = unique()
    await site.store(posts_with(word, TEXTS))
    async with visit(browser, f"{site.url}/explore?search={word}", size="phone", theme=theme) as visited:
        page = visited.page
        await expect(found(page)).to_have_count(3)
        toggle = page.get_by_role("button", name="Filters")
        await expect(toggle).to_contain_text("1 active")
        await expect(page.get_by_label("Emotion")).to_be_hidden()
        await toggle.press("Enter")
        await expect(toggle).to_have_attribute("aria-expanded", "true")
        await page.get_by_role("radio", name="Custom").check(force=True)
        await expect(page.get_by_label("Until")).to_be_visible()
        await page.get_by_role("radio", name="Negative").check(force=True)
        await expect(found(page)).to_have_count(1)
        await expect(toggle).to_contain_text("2 active")
        await page.get_by_role("button", name="Export").click()
        await expect(page.get_by_role("link", name="CSV")).to_be_in_viewport()
        assert await visited.violations() == []
        assert await visited.width_beyond() <= 0
        assert visited.complaints == []
