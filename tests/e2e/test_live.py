"""The live page against the real system: every part of it, with posts of the test's own."""

import re
import time
import urllib.parse
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from services.common.messages import Post
from tests.e2e.site import Site, Theme, Visit, visit
from tests.waiting import eventually

pytestmark = [pytest.mark.pages, pytest.mark.timeout(300)]

ANGRY = "I am so angry, they lied to us again"
HAPPY = "I love this so much, best day ever!!"
NEUTRAL = "The train leaves at nine from platform two."


def own(name: str) -> str:
    """A source that only this test has, so that its counts are the test's."""
    return f"{name}-{uuid.uuid4().hex[:6]}"


def posts_of(source: str, texts: Sequence[str]) -> list[Post]:
    """One post for each text, with the source in it, by which a filter finds it."""
    now = datetime.now(UTC)
    return [
        Post(
            post_id=f"{source}-{i}-{time.time_ns()}",
            source=source,
            content=f"{text} ({i} {source})",
            author=f"writer{i}",
            created_at=now,
        )
        for i, text in enumerate(texts)
    ]


async def open_live(visited: Visit) -> Page:
    page = visited.page
    await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "connected")
    await expect(page.locator(".skeleton")).to_have_count(0)
    return page


def live(site: Site, **params: str) -> str:
    return f"{site.url}/?{urllib.parse.urlencode(params)}"


def span_of(page: Page, chart: str = "sentiment-chart") -> Any:
    return page.get_by_test_id(chart).evaluate("each => [Number(each.dataset.from), Number(each.dataset.to)]")


async def test_totals_are_those_of_the_chosen_time_and_source_beside_the_time_before(
    browser: Browser, site: Site
) -> None:
    source = own("live-totals")
    await site.store(posts_of(source, [ANGRY, ANGRY, ANGRY, HAPPY]))
    # What the minute in the middle of the window before counts, as a worker would have written it.
    await site.running.query(
        "INSERT INTO sentiment_minutes (minute, source, sentiment_label, writer, posts, confidence_sum, created_from,"
        f" created_to) SELECT date_trunc('minute', now() - interval '8 minutes', 'UTC'), '{source}', label, 0, 1,"
        " 0.9, now(), now() FROM (VALUES ('positive'), ('negative')) AS labels (label)"
    )
    async with visit(browser, live(site, range="5m", source=source)) as visited:
        page = await open_live(visited)
        await expect(page.get_by_test_id("total-posts")).to_have_attribute("data-value", "4")
        await expect(page.get_by_test_id("total-negative")).to_have_attribute("data-value", "3")
        await expect(page.get_by_test_id("total-negative")).to_contain_text(re.compile(r"75\s%"))
        await expect(page.get_by_test_id("total-change")).to_have_text(re.compile(r"\+100\s% from 2 before"))
        await expect(page.get_by_test_id("change-negative")).to_have_text(re.compile(r"\+25\spts"))
        await expect(page.get_by_test_id("change-positive")).to_have_text(re.compile("\u221225\\spts"))
        # An hour is both of these windows, and what was before it is another one.
        await page.get_by_role("radio", name="1 h", exact=True).check()
        await expect(page.get_by_test_id("total-change")).to_have_text("none before")


async def test_range_and_source_are_one_choice_for_the_page_and_stay_in_its_address(
    browser: Browser, site: Site
) -> None:
    source = own("live-choice")
    await site.store(posts_of(source, [HAPPY, HAPPY]))
    async with visit(browser, site.url) as visited:
        page = await open_live(visited)
        await page.get_by_test_id("sources").get_by_role("button", name=re.compile(source)).click()
        await expect(page).to_have_url(re.compile(f"source={source}"))
        await page.get_by_role("radio", name="24 h", exact=True).check()
        await expect(page).to_have_url(re.compile("range=24h"))
        for _ in range(2):  # the second time after loading it anew
            await expect(page.get_by_label("Source", exact=True)).to_have_value(source)
            await expect(page.get_by_test_id("total-posts")).to_have_attribute("data-value", "2")
            await expect(page.get_by_test_id("feed")).to_have_attribute("data-count", "2")
            await expect(page.get_by_test_id("emotion-joy")).to_have_attribute("data-value", "2")
            for chart, summary in (("sentiment-chart", r"2\sposts"), ("emotion-chart", r"Joy 100\s%")):
                await expect(page.get_by_test_id(chart)).to_contain_text(re.compile(summary))
                from_ms, to_ms = await span_of(page, chart)
                assert to_ms - from_ms == 24 * 3_600_000
            await page.reload()
        await page.get_by_label("Source", exact=True).select_option("All sources")
        await expect(page).not_to_have_url(re.compile("source="))
        await expect(page.get_by_test_id("total-posts")).not_to_have_attribute("data-value", "2")


@pytest.mark.parametrize(
    ("label", "minutes", "rows"),
    [
        ("5 min", 5, 5),
        ("15 min", 15, 15),
        ("1 h", 60, 60),
        ("6 h", 360, 36),
        ("24 h", 1_440, 24),
        ("7 days", 10_080, 168),
    ],
)
async def test_every_range_is_divided_as_fits_it(
    browser: Browser, site: Site, label: str, minutes: int, rows: int
) -> None:
    async with visit(browser, site.url) as visited:
        page = await open_live(visited)
        await page.get_by_role("radio", name=label, exact=True).check()
        chart = page.get_by_test_id("sentiment-chart")
        await chart.get_by_text("Show as a table").click()
        await expect(chart.get_by_role("row")).to_have_count(1 + rows)
        from_ms, to_ms = await span_of(page)
        assert to_ms - from_ms == minutes * 60_000
        # The newest bar is the running one, and the posts of this test run are in it or in the one before.
        newest = [await chart.get_by_role("row").nth(i).get_by_role("cell").last.inner_text() for i in (1, 2)]
        assert sum(int(each.replace(",", "")) for each in newest) > 0
        assert visited.complaints == []


async def test_charts_zoom_by_dragging_buttons_and_keys_and_both_follow(browser: Browser, site: Site) -> None:
    async with visit(browser, live(site, range="24h")) as visited:
        page = await open_live(visited)
        whole = await span_of(page)
        chart = page.get_by_test_id("sentiment-chart")
        box = await chart.locator(".u-over").bounding_box()
        assert box is not None
        middle = box["y"] + box["height"] / 2
        await page.mouse.move(box["x"] + box["width"] * 0.5, middle)
        await page.mouse.down()
        await page.mouse.move(box["x"] + box["width"] * 0.75, middle, steps=5)
        await page.mouse.up()
        await expect(chart.get_by_role("button", name="Whole range")).to_be_visible()
        from_ms, to_ms = await span_of(page)
        quarter = (whole[1] - whole[0]) / 4
        assert abs((to_ms - from_ms) - quarter) < 0.05 * quarter
        assert abs(from_ms - (whole[0] + 2 * quarter)) < 0.1 * quarter
        assert await span_of(page, "emotion-chart") == [from_ms, to_ms]
        # Six hours in bars of an hour would be six: it is asked again, more finely.
        await expect(page.get_by_text("posts per 10 minutes", exact=True)).to_be_visible()

        await page.mouse.dblclick(box["x"] + box["width"] / 2, middle)
        await expect(chart.get_by_role("button", name="Whole range")).to_have_count(0)

        nearer = chart.get_by_role("button", name="Zoom in")
        await nearer.press("Enter")
        half = await span_of(page)
        assert half[1] - half[0] == (whole[1] - whole[0]) / 2
        await nearer.press("ArrowLeft")
        assert (await span_of(page))[0] < half[0]
        await nearer.press("+")
        await expect(page.get_by_text("posts per 10 minutes", exact=True)).to_be_visible()
        await nearer.press("-")
        await nearer.press("Escape")
        await expect(chart.get_by_role("button", name="Whole range")).to_have_count(0)
        await expect(nearer).to_be_focused()
        assert visited.complaints == []


async def test_alerts_are_marked_and_their_limits_drawn_where_they_apply(browser: Browser, site: Site) -> None:
    """The rule of the settings in the shares of all sources; an alert of a source when that one is looked at."""
    source = own("live-alerts")
    await site.store(posts_of(source, [ANGRY] * 30))
    await site.make_older(source, timedelta(minutes=2))  # a rule looks at minutes that are over
    rule = {
        "name": f"Anger of {source}",
        "kind": "sentiment_ratio",
        "sentiment": "negative",
        "source": source,
        "threshold": 0.6,
        "window_minutes": 5,
        "min_posts": 5,
    }
    async with visit(browser, live(site, source=source)) as visited:
        page = await open_live(visited)
        added = await page.request.post(f"{site.url}/api/alert-rules", data=rule)
        assert added.status == 201, await added.text()
        try:
            chart = page.get_by_test_id("sentiment-chart")
            await expect(chart).to_contain_text(re.compile(rf"Anger of {source} from \d\d:\d\d to \d\d:\d\d"))
            await expect(chart).not_to_contain_text("Alert above")
            await page.reload()
            await page.get_by_role("radio", name="Share").check()
            await expect(chart).to_contain_text(re.compile(r"Alert above 60\s% negative"))
            await expect(chart).not_to_contain_text(re.compile(r"Alert above 50\s% negative"))
            await page.get_by_label("Source", exact=True).select_option("All sources")
            await expect(chart).to_contain_text(re.compile(r"Alert above 50\s% negative"))
        finally:
            await page.request.delete(f"{site.url}/api/alert-rules/{(await added.json())['id']}")


async def test_emotions_and_sources_count_what_was_posted(browser: Browser, site: Site) -> None:
    source = own("live-counted")
    await site.store(posts_of(source, [HAPPY, HAPPY, HAPPY, ANGRY]))
    async with visit(browser, live(site, range="5m", source=source)) as visited:
        page = await open_live(visited)
        await expect(page.get_by_test_id("emotion-joy")).to_contain_text(re.compile(r"75\s%"))
        await expect(page.get_by_test_id("emotion-anger")).to_have_attribute("data-value", "1")
        chart = page.get_by_test_id("emotion-chart")
        await expect(chart).to_contain_text(re.compile(r"Joy 75\s%, Anger 25\s%"))
        await chart.get_by_text("Show as a table").click()
        await expect(chart.get_by_role("cell", name=re.compile(r"75\s%")).first).to_be_visible()
        row = page.locator(f'[data-testid="source"][data-source="{source}"]')
        await expect(row).to_have_attribute("data-value", "4")
        await expect(row).to_contain_text(re.compile(r"75\s% positive, 0\s% neutral, 25\s% negative"))
        await row.get_by_role("button").click()
        await expect(page).not_to_have_url(re.compile("source="))


async def test_a_word_on_the_rise_leads_to_its_posts(browser: Browser, site: Site) -> None:
    source = own("live-words")
    await site.store(posts_of(source, [ANGRY] * 15))
    await site.make_older(source, timedelta(minutes=6))
    await site.store(posts_of(source, ["I love the #undertonefest"] * 12 + ["I hate this awful rainstorm"] * 12))
    async with visit(browser, live(site, source=source, range="5m")) as visited:
        page = await open_live(visited)
        words = page.get_by_test_id("rising-words")
        tag = words.locator('[data-word="#undertonefest"]')
        await expect(tag).to_contain_text(re.compile(r"12\sposts"))
        await expect(tag).to_contain_text("new")
        await expect(words.locator('[data-word="rainstorm"]')).to_be_visible()
        await page.get_by_label("Words of posts that are").select_option("negative")
        await expect(tag).to_have_count(0)
        await expect(words.locator('[data-word="rainstorm"]')).to_be_visible()
        await page.get_by_label("Words of posts that are").select_option("All feelings")
        await page.get_by_role("radio", name="Hashtags").check()
        await expect(words.locator('[data-word="rainstorm"]')).to_have_count(0)
        await tag.get_by_role("link").click()
        await expect(page).to_have_title("Explore · Undertone")
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)
        assert query["search"] == ["#undertonefest"]
        assert query["source"] == [source]


LONG = "It was a long day and this is a long story of it. " * 20


async def test_the_feed_is_a_feed_of_any_length(browser: Browser, site: Site) -> None:
    """What is in sight is there and no more; each post says which it is; the focus survives scrolling."""
    source = own("live-feed")
    await site.store(posts_of(source, [ANGRY, HAPPY, NEUTRAL] * 25 + [LONG]))
    async with visit(browser, live(site, source=source)) as visited:
        page = await open_live(visited)
        feed, items = page.get_by_role("feed"), page.get_by_test_id("feed-item")
        await expect(feed).to_have_attribute("data-count", "76")
        assert await items.count() < 30
        await expect(items.first).to_have_attribute("aria-posinset", "1")
        await expect(items.first).to_have_attribute("aria-setsize", "76")

        newest = items.first
        await newest.get_by_role("button", name="Show more").click()
        await expect(newest.get_by_role("button", name="Show less")).to_be_visible()
        first, second = await items.nth(0).bounding_box(), await items.nth(1).bounding_box()
        assert first is not None
        assert second is not None
        assert abs(first["y"] + first["height"] - second["y"]) < 1.5, "the posts below make room"

        await newest.focus()
        for place in (2, 3, 4):
            await page.keyboard.press("PageDown")
            await expect(page.locator(":focus")).to_have_attribute("aria-posinset", str(place))
        await page.keyboard.press("PageUp")
        await expect(page.locator(":focus")).to_have_attribute("aria-posinset", "3")
        await page.get_by_role("region", name="Newest posts").evaluate("each => each.scrollTop = each.scrollHeight")
        await expect(items.last).to_have_attribute("aria-posinset", "76")
        await expect(page.locator(":focus")).to_have_attribute("aria-posinset", "3")
        await page.get_by_role("region", name="Newest posts").evaluate("each => each.scrollTop = 0")
        await expect(newest.get_by_role("button", name="Show less")).to_be_visible()

        await page.locator(":focus").get_by_role("link", name="Journey").click()
        await expect(page).to_have_url(re.compile(f"post={source}-"))
        assert visited.complaints == []


async def test_the_feed_filters_by_sentiment_emotion_source_and_text(browser: Browser, site: Site) -> None:
    source = own("live-filter")
    await site.store(posts_of(source, [ANGRY, ANGRY, HAPPY, NEUTRAL]))
    async with visit(browser, live(site, source=source)) as visited:
        page = await open_live(visited)
        feed = page.get_by_role("feed")
        panel = page.locator("#feed")
        await expect(feed).to_have_attribute("data-count", "4")
        await panel.get_by_role("radio", name="Negative").check()
        await expect(feed).to_have_attribute("data-count", "2")
        await panel.get_by_role("radio", name="All", exact=True).check()
        await panel.get_by_label("Emotion").select_option("joy")
        await expect(feed).to_have_attribute("data-count", "1")
        await panel.get_by_label("Emotion").select_option("")
        await panel.get_by_label("Filter the feed by text").fill("platform TRAIN")
        await expect(feed).to_have_attribute("data-count", "1")
        await panel.get_by_label("Filter the feed by text").fill("zyzzyva")
        await expect(panel.get_by_text("No matches")).to_be_visible()


async def test_the_feed_holds_still_under_the_pointer_and_outlives_its_page(browser: Browser, site: Site) -> None:
    async with visit(browser, site.url) as visited:
        page = await open_live(visited)
        feed, items = page.get_by_role("feed"), page.get_by_test_id("feed-item")
        await expect(page.get_by_test_id("feed-latency")).to_have_attribute("data-p50", re.compile(r"^\d+$"))
        await items.first.hover()
        held = page.get_by_role("button", name=re.compile("new posts? — resume"))
        await expect(held).to_be_visible()
        still = await items.first.get_attribute("data-post-id")
        await expect(page.get_by_role("button", name=re.compile(r"[2-9]\snew posts — resume"))).to_be_visible()
        assert await items.first.get_attribute("data-post-id") == still
        await held.click()
        await page.mouse.move(5, 5)
        await expect(items.first).not_to_have_attribute("data-post-id", still or "")

        before = int(await feed.get_attribute("data-count") or 0)
        asked: list[str] = []
        await page.get_by_role("link", name="Inference").click()
        await expect(page).to_have_title("Inference · Undertone")
        meanwhile = posts_of(own("live-meanwhile"), [NEUTRAL])
        await site.store(meanwhile)
        page.on("request", lambda request: asked.append(request.url))
        await page.get_by_role("link", name="Live", exact=True).click()
        await expect(page.locator(f'[data-post-id="{meanwhile[0].post_id}"]').or_(feed)).not_to_have_count(0)
        assert int(await feed.get_attribute("data-count") or 0) > before, "what it had, and what arrived"
        await page.get_by_label("Filter the feed by text").fill(meanwhile[0].source)
        await expect(feed).to_have_attribute("data-count", "1")
        assert not [url for url in asked if "/api/posts" in url], "it had them, and asked nobody"


async def test_a_gap_is_closed_when_the_network_was_away(browser: Browser, site: Site) -> None:
    """All that arrived meanwhile is in the feed, more than a page of it, and the counts have it too."""
    source = own("live-gap")
    async with visit(browser, site.url) as visited:
        page = await open_live(visited)
        connection = page.get_by_test_id("connection")
        await expect(page.get_by_test_id("feed-item").first).to_be_visible()
        await page.context.set_offline(True)
        await expect(connection).to_have_attribute("data-state", "offline")
        missed = posts_of(source, [NEUTRAL] * 130)
        await site.store(missed)
        await page.get_by_label("Filter the feed by text").fill(source)
        await page.context.set_offline(False)
        await expect(connection).to_have_attribute("data-state", "connected")
        await expect(page.get_by_role("feed")).to_have_attribute("data-count", "130")
        await expect(page.locator(f'[data-testid="source"][data-source="{source}"]')).to_have_attribute(
            "data-value", "130"
        )

        async def counts_agree() -> bool:
            shown = await page.get_by_test_id("total-posts").get_attribute("data-value")
            counted = await site.get("/api/sentiment/totals?minutes=15")
            return counted is not None and abs(int(shown or 0) - counted["current"]["total"]) < 60

        await eventually(counts_agree, "the totals are fresh", 60)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_what_opens_on_the_page_is_accessible_too(browser: Browser, site: Site, theme: Theme) -> None:
    """Tables, a zoom, shares, an opened post, a chosen source, and nothing found."""
    source = own("live-axe")
    await site.store(posts_of(source, [ANGRY, HAPPY, f"{HAPPY} #axefest", LONG]))
    async with visit(browser, live(site, source=source, range="1h"), theme=theme) as visited:
        page = await open_live(visited)
        for chart in ("sentiment-chart", "emotion-chart"):
            await page.get_by_test_id(chart).get_by_text("Show as a table").click()
            await expect(page.get_by_test_id(chart).get_by_role("row").nth(2)).to_be_visible()
        await page.get_by_role("radio", name="Share").check()
        await page.get_by_test_id("sentiment-chart").get_by_role("button", name="Zoom in").click()
        await expect(page.get_by_role("button", name="Whole range").first).to_be_visible()
        await page.get_by_role("button", name="Show more").first.click()
        assert await visited.violations() == []
        await page.get_by_label("Filter the feed by text").fill("zyzzyva")
        await expect(page.get_by_text("No matches")).to_be_visible()
        assert await visited.violations() == []
        assert await visited.width_beyond() <= 0
        assert visited.complaints == []
