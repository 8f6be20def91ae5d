"""Try it: somebody's own text before both models, against the real back end."""

import asyncio
import json
import re
import shlex
import sys
import uuid

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.e2e.site import Site, Theme, visit

pytestmark = [pytest.mark.pages, pytest.mark.timeout(240)]


async def ask(page: Page, text: str) -> None:
    """Types the text and asks by keyboard."""
    await page.get_by_label("Text", exact=True).fill(text)
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".try-quote").first).to_have_text(text.strip())


async def test_a_text_is_judged_as_the_api_does_and_nothing_of_it_stays(browser: Browser, site: Site) -> None:
    """Labels, scores, tokens and versions are those of /api/analyze; the text is in no post and not in the address."""
    text = f"I love this so much, best day ever!! {uuid.uuid4().hex}"
    async with visit(browser, site.url + "/try") as visited:
        page = visited.page
        await expect(page.get_by_text("Nothing asked yet")).to_be_visible()
        field = page.get_by_label("Text", exact=True)
        await field.fill(text)
        await expect(page.get_by_test_id("try-length")).to_have_text(re.compile(rf"^{len(text)}\scharacters$"))
        async with page.expect_response("**/api/analyze") as answered:
            await field.press("Control+Enter")
        answer = await (await answered.value).json()
        result = answer["results"][0]
        for role in ("sentiment", "emotion"):
            verdict = result[role]
            judged = page.get_by_test_id(f"try-{role}")
            await expect(judged).to_have_attribute("data-label", verdict["label"])
            await expect(judged).to_contain_text(f"{verdict['model_name']}, version {verdict['model_version']}")
            shown = await judged.get_by_role("listitem").all_inner_texts()
            by_score = sorted(verdict["scores"], key=lambda score: -score["score"])
            assert [line.split("\n")[0].lower() for line in shown] == [score["label"].lower() for score in by_score]
            assert all(re.search(r"\d\.\d\s%$", line) for line in shown)
        assert await page.get_by_test_id("try-sentiment").get_attribute("data-label") == "positive"
        await expect(page.get_by_test_id("try-result")).to_contain_text(f"{result['text_tokens']}\u00a0tokens")
        for name in ("Tokenize", "Sentiment model", "Emotion model", "Server in all", "Round trip"):
            await expect(page.locator(".try-times div", has_text=name)).to_have_text(re.compile(r"[\d.]+\sms$"))
        assert page.url == site.url + "/try"
        assert await page.evaluate("JSON.stringify([localStorage, sessionStorage])") == "[{},{}]"
    assert (await site.get(f"/api/posts?search={text[-32:]}"))["posts"] == []


async def test_examples_are_asked_with_a_click_and_recent_tries_compared(browser: Browser, site: Site) -> None:
    async with visit(browser, site.url + "/try") as visited:
        page = visited.page
        await page.get_by_role("button", name="They lied to us again").click()
        await expect(page.get_by_test_id("try-sentiment")).to_have_attribute("data-label", "negative")
        await expect(page.get_by_label("Text", exact=True)).to_have_value("They lied to us again and I am furious.")
        await expect(page.get_by_role("heading", name="Recent tries")).to_have_count(0)
        await page.get_by_role("button", name="I love this so much").click()
        await expect(page.get_by_test_id("try-sentiment")).to_have_attribute("data-label", "positive")
        rows = page.get_by_role("table").get_by_role("row")
        await expect(rows).to_have_count(3)
        await expect(rows.nth(1)).to_contain_text("positive")
        await expect(rows.nth(2)).to_contain_text("negative")
        await page.get_by_role("table").get_by_role("button", name="They lied").press("Enter")
        await expect(page.get_by_test_id("try-sentiment")).to_have_attribute("data-label", "negative")
        await page.get_by_role("button", name="Forget them").click()
        await expect(page.get_by_text("Nothing asked yet")).to_be_visible()


async def test_each_line_may_be_a_text_and_a_long_text_is_said_to_be_cut(browser: Browser, site: Site) -> None:
    async with visit(browser, site.url + "/try") as visited:
        page = visited.page
        await page.get_by_label("Each line is a text").check()
        await page.get_by_label("Text", exact=True).fill("I love it\n\nI hate it\n")
        await expect(page.get_by_test_id("try-length")).to_contain_text("2\u00a0texts")
        await page.keyboard.press("Control+Enter")
        await expect(page.get_by_test_id("try-sentiment")).to_have_count(2)
        await expect(page.get_by_test_id("try-sentiment").nth(0)).to_have_attribute("data-label", "positive")
        await expect(page.get_by_test_id("try-sentiment").nth(1)).to_have_attribute("data-label", "negative")
        await expect(page.get_by_text("only its beginning was judged")).to_have_count(0)
        await page.get_by_label("Each line is a text").uncheck()
        await ask(page, "word " * 700)
        await expect(page.get_by_text("only its beginning was judged")).to_be_visible()


async def test_the_models_in_service_are_named(browser: Browser, site: Site) -> None:
    async with visit(browser, site.url + "/try") as visited:
        for model in (await site.get("/api/models"))["models"]:
            told = visited.page.get_by_test_id(f"model-{model['role']}")
            await expect(told).to_contain_text(f"{model['source']}, version {model['version']}")
            await expect(told).to_contain_text(f"{model['max_tokens']} tokens")
            if model["device"]:
                await expect(told).to_contain_text(model["device"].upper())


async def test_the_request_can_be_copied_and_run_elsewhere(browser: Browser, site: Site) -> None:
    """The commands, read by a shell and run by Python, ask what the page asks, whatever quotes are in the text."""
    text = """It's "fine" \\o/ $HOME `x` é 😂"""
    async with visit(browser, site.url + "/try") as visited:
        page = visited.page
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await ask(page, text)
        label = await page.get_by_test_id("try-sentiment").get_attribute("data-label")
        await page.get_by_role("button", name="Copy", exact=True).click()
        await expect(page.get_by_text("Copied")).to_be_attached()
        curl = await page.evaluate("navigator.clipboard.readText()")
        await page.get_by_label("Python").check(force=True)
        program = await page.get_by_test_id("try-code").inner_text()
    words = shlex.split(curl)
    assert words[:2] == ["curl", f"{site.url}/api/analyze"]
    assert json.loads(words[words.index("-d") + 1]) == {"text": text}
    ran = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    output, _ = await ran.communicate()
    assert f"'label': '{label}'" in output.decode()


async def test_what_is_too_much_is_said_in_words(browser: Browser, site: Site) -> None:
    """Real refusals: a text of too many characters, and a body of too many bytes. The page goes on to work."""
    async with visit(browser, site.url + "/try") as visited:
        page = visited.page
        field = page.get_by_label("Text", exact=True)
        await field.fill("x" * 41_000)
        await field.press("Control+Enter")
        await expect(page.get_by_role("alert")).to_contain_text("This text was refused. text: 41,000 characters")
        await field.fill("x" * 1_100_000)
        await field.press("Control+Enter")
        await expect(page.get_by_role("alert")).to_contain_text("This is too much text.")
        await ask(page, "I love it")
        await expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("status", "title", "detail"),
    [
        (429, "The models are busy", "Too many requests at once; try again in a moment."),
        (503, "The models do not answer", "Triton does not answer; try again shortly."),
    ],
)
async def test_an_overload_and_an_outage_are_told(
    browser: Browser, site: Site, status: int, title: str, detail: str
) -> None:
    """The answers stand in for those of a server in trouble, which the shared one must not be."""

    async def refuse(route: Route) -> None:
        body = json.dumps({"title": title, "status": status, "detail": detail})
        await route.fulfill(status=status, content_type="application/problem+json", body=body)

    async with visit(browser, site.url + "/try") as visited:
        page = visited.page
        await page.route("**/api/analyze", refuse)
        await page.get_by_role("button", name="I love this so much").click()
        await expect(page.get_by_role("alert")).to_have_text(f"{title}. {detail}")
        await page.unroute("**/api/analyze")
        await page.get_by_role("button", name="Analyse").click()
        await expect(page.get_by_test_id("try-sentiment")).to_have_attribute("data-label", "positive")


@pytest.mark.parametrize(("size", "theme"), [("phone", "light"), ("desktop", "dark")])
async def test_a_filled_page_is_accessible_and_fits(browser: Browser, site: Site, size: str, theme: Theme) -> None:
    """On a phone the answer, which is below the text, comes into sight by itself."""
    async with visit(browser, site.url + "/try", size=size, theme=theme) as visited:
        page = visited.page
        await page.get_by_role("button", name="I love this so much").click()
        await expect(page.get_by_test_id("try-sentiment")).to_be_in_viewport()
        await ask(page, "word " * 700)
        await expect(page.get_by_text("only its beginning was judged")).to_be_visible()
        assert await visited.violations() == []
        assert await visited.width_beyond() <= 0
        assert visited.complaints == []
