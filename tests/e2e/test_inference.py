"""The page of inference: what Triton reports, the way of a post, and dead letters, against the real system."""

import json
import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Locator, Page, Response, expect

from services.common.dead_letters.burial import bury
from services.common.dead_letters.letter import DeadLetter
from services.common.messages import Post, encode_post
from tests.e2e.site import STREAM, Site, Theme, visit
from tests.waiting import eventually

pytestmark = [pytest.mark.pages, pytest.mark.timeout(240)]

GROUP = "sentiment_workers"
TEXTS_PER_REQUEST = 32


def is_statistics(response: Response) -> bool:
    return "/api/inference" in response.url


def rate(per_second: float) -> str:
    """As the page writes it: three digits."""
    text = f"{per_second:,.0f}" if per_second >= 100 else f"{float(f'{per_second:.3g}'):g}"
    return f"{text}\N{NO-BREAK SPACE}/s"


def metric(page: Page, model: str, name: str) -> Locator:
    return page.get_by_test_id(re.compile(f"^model-{model}-")).get_by_test_id(name).locator(".metric-value")


async def test_the_numbers_are_those_of_the_api(browser: Browser, site: Site) -> None:
    """What an answer says is what the page shows: rates, percentiles, versions, the machine."""
    async with visit(browser, site.url + "/inference?minutes=1") as visited:
        page = visited.page
        await expect(page.get_by_test_id("pipeline").locator("li")).to_have_count(6)
        async with page.expect_response(is_statistics) as answered:
            pass
        found = json.loads(await (await answered.value).body())
        for model in found["models"]:
            card = page.get_by_test_id(f"model-{model['name']}-{model['version']}")
            await expect(card).to_contain_text(f"version {model['version']} · {model['precision']} · CPU")
            await expect(card).to_contain_text("Ready")
            await expect(metric(page, model["name"], "requests")).to_have_text(rate(model["requests_per_s"]))
            await expect(metric(page, model["name"], "inferences")).to_have_text(rate(model["inferences_per_s"]))
        await expect(page.get_by_test_id("stage-worker")).to_contain_text(rate(found["pipeline"]["posts_per_s"]))
        await expect(page.get_by_test_id("stage-stream")).to_contain_text(f"{found['pipeline']['lag']} wait")
        await expect(page.get_by_text(f"of {found['latency']['count']}")).to_be_visible()
        await expect(page.get_by_test_id("hardware")).to_contain_text("Triton sees none")
        for name in ("latency", "throughput", "triton", "batch", "lag"):
            await expect(page.get_by_test_id(f"history-{name}").locator("canvas")).to_be_visible()
        await expect(page.get_by_test_id("to-screen")).to_contain_text("Arrival to here", timeout=60_000)
        assert visited.complaints == []


async def test_requests_of_this_test_show_up(browser: Browser, site: Site) -> None:
    """256 texts within a minute are four a second more."""
    async with visit(browser, site.url + "/inference?minutes=1") as visited:
        shown = metric(visited.page, "emotion", "inferences")
        await expect(shown).to_have_text(re.compile(r"/s$"))

        async def per_second() -> float:
            return float((await shown.inner_text()).split()[0].replace(",", ""))

        async def has_risen() -> bool:
            return await per_second() > before + 2

        before = await per_second()
        texts = [f"The train is late again, number {i}" for i in range(TEXTS_PER_REQUEST)]
        for _ in range(8):
            await site.ask("POST", "/api/analyze", {"texts": texts})
        await eventually(has_risen, "the page shows what was asked", 60)


async def let_pass(page: Page, intervals: int) -> None:
    """So many times five seconds by the page's clock; a real answer between them, so that requests can come and go."""
    for _ in range(intervals):
        await page.clock.run_for(5_000)
        await page.evaluate("fetch('/api/health').then(answer => answer.text())")


async def test_a_page_out_of_sight_asks_for_nothing(browser: Browser, site: Site) -> None:
    """Polling stops while the page is hidden, and goes on when it is seen again."""
    async with visit(browser, site.url) as visited:
        page = visited.page
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "/api/inference" in request.url else None)
        await page.clock.install()
        await page.goto(site.url + "/inference")
        await expect(page.get_by_test_id("pipeline")).to_be_visible()
        hide = """(state) => {
            Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
            document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
        }"""
        async with page.expect_request(re.compile("/api/inference")):
            await page.clock.run_for(6_000)
        await page.evaluate(hide, "hidden")
        # What was asked just before is asked. Less than the silence after which the connection is made anew.
        await let_pass(page, 1)
        seen = len(asked)
        await let_pass(page, 6)
        assert len(asked) == seen
        async with page.expect_request(re.compile("/api/inference")):
            await page.evaluate(hide, "visible")
            await page.clock.run_for(6_000)


@pytest.mark.parametrize(("size", "theme"), [("phone", "dark"), ("desktop", "light")])
async def test_a_dead_letter_is_read_and_dropped_by_keyboard(
    browser: Browser, site: Site, size: str, theme: Theme
) -> None:
    """An entry that is no post: it appears by itself, every field of it is shown, and it goes for good."""
    post_id = f"broken-{uuid4().hex[:8]}"
    async with visit(browser, site.url + "/inference?letters=missing_field", size=size, theme=theme) as visited:
        page = visited.page
        async with site.redis() as redis:
            await redis.xadd(STREAM, {"post_id": post_id, "content": "no source", "oddity": "<b>kept</b>"})
        letter = page.get_by_test_id("letter").filter(has_text=post_id)
        await expect(letter).to_contain_text("source is missing", timeout=60_000)
        await letter.get_by_role("button", name=f"Show post {post_id} whole").focus()
        await page.keyboard.press("Enter")
        fields = page.get_by_test_id("letter-fields")
        await expect(fields).to_contain_text("oddity")
        await expect(fields).to_contain_text("<b>kept</b>")
        await expect(page).to_have_url(re.compile(r"letters=missing_field&letter=\d+-\d+"))
        assert await visited.violations() == []
        assert await visited.width_beyond() <= 0
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)

        await letter.get_by_role("button", name=f"Drop post {post_id}").focus()
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("this cannot be undone")
        assert await visited.violations() == []
        await dialog.get_by_role("button", name="Drop for good").focus()
        await page.keyboard.press("Enter")
        await expect(letter).to_have_count(0)
        await expect(page.get_by_test_id("letters-outcome")).to_have_text("1\N{NO-BREAK SPACE}letter dropped.")
        left = await site.get(f"/api/dead-letters?post_id={post_id}")
        assert left["letters"] == []
        assert visited.complaints == []


async def test_letters_of_a_reason_are_published_again(browser: Browser, site: Site) -> None:
    """Those that can are stored after all; the count of the reason goes."""
    reason = f"trial_{uuid4().hex[:8]}"
    posts = [
        Post(
            post_id=f"{reason}-{i}",
            source="reddit",
            content=f"Second chance {reason} {i}",
            author="ada",
            created_at=datetime.now(UTC),
        )
        for i in range(3)
    ]
    letters = [
        DeadLetter("", {k.encode(): v.encode() for k, v in encode_post(post).items()}, reason, "for a test")
        for post in posts
    ]
    async with site.redis() as redis:
        await bury(redis, STREAM, letters, GROUP)
    async with visit(browser, site.url + "/inference") as visited:
        page = visited.page
        await page.get_by_role("button", name=re.compile(f"^{reason} 3$")).click()
        await expect(page).to_have_url(re.compile(f"letters={reason}"))
        await expect(page.get_by_test_id("letter")).to_have_count(3)
        await page.get_by_role("button", name="Publish these again").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text(re.compile(f"Publish 3.letters of {reason} again\\?"))
        await dialog.get_by_role("button", name="Cancel").click()
        await expect(page.get_by_test_id("letter")).to_have_count(3)
        await page.get_by_role("button", name="Publish these again").click()
        await dialog.get_by_role("button", name="Publish again").click()
        await expect(page.get_by_test_id("letters-outcome")).to_have_text("3\N{NO-BREAK SPACE}posts published again.")
        await expect(page.get_by_test_id("letter")).to_have_count(0)
        for post in posts:
            await site.stored(post)


@pytest.mark.parametrize("size", ["phone", "desktop"])
async def test_the_way_of_a_post_is_a_list_in_its_order(browser: Browser, site: Site, size: str) -> None:
    """For those who do not see the picture; each station says what it is."""
    async with visit(browser, site.url + "/inference", size=size) as visited:
        stations = visited.page.get_by_role("list").filter(has_text="Sources").get_by_role("listitem")
        await expect(stations).to_have_count(6)
        names = ["Sources", "Stream", "Workers", "Triton", "Database", "Browsers"]
        for station, name in zip(await stations.all(), names, strict=True):
            await expect(station).to_contain_text(re.compile(rf"^{name}"))
        await expect(visited.page.get_by_test_id("stage-stream")).to_contain_text("Bad when it grows")
