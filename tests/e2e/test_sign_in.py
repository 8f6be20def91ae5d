"""Signing in: the page asks for a key once, the wanted page opens after it, and what needs another key says so."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from playwright.async_api import Browser, Page, expect

from services.api.access.callers import COOKIE
from services.common.api_keys import make_key, new_key
from services.common.dead_letters import DeadLetter, bury
from services.common.messages import encode_post
from services.common.settings import Settings
from services.common.streams import ensure_group, open_redis
from tests.conftest import ROOT
from tests.e2e.site import SIZES, Theme, Visit, visit
from tests.integration.test_api_server import Api, running_api
from tests.posts import make_posts
from tests.rows import insert

pytestmark = [pytest.mark.pages, pytest.mark.timeout(240)]

READ, ADMIN = new_key(), new_key()
KEYS = (make_key("reader", ["read"], READ), make_key("operator", ["admin"], ADMIN))
WANTED = "/explore?search=lighthouse"
CONTENT = "What a lighthouse!"


@pytest.fixture
async def guarded(settings: Settings, database_url: str) -> AsyncIterator[Api]:
    """An API that asks for keys, with a post and a dead letter."""
    database = await asyncpg.connect(database_url)
    await insert(database, "p1", content=CONTENT)
    await database.close()
    stream, group = settings.redis_stream_name, settings.redis_consumer_group
    async with open_redis(settings.redis_dsn) as redis:
        await ensure_group(redis, stream, group)
        fields = {name.encode(): value.encode() for name, value in encode_post(make_posts(1)[0]).items()}
        await bury(redis, stream, [DeadLetter("", fields, "too_long", "no")], group)
    with_keys = {"api_keys": ",".join(key.entry for key in KEYS), "frontend_dist": ROOT / "frontend" / "dist"}
    async with running_api(settings.model_copy(update=with_keys)) as api:
        yield api


async def sign_in(page: Page, key: str) -> None:
    await page.get_by_label("API key").fill(key)
    await page.keyboard.press("Enter")


async def expect_found(visited: Visit) -> None:
    """The wanted page, whole and live."""
    page = visited.page
    await expect(page).to_have_title("Explore · Undertone")
    await expect(page.get_by_test_id("found-post")).to_have_count(1)
    await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "connected")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
async def test_the_question_for_a_key_is_accessible_and_fits(
    browser: Browser, guarded: Api, size: str, theme: Theme
) -> None:
    async with visit(browser, f"http://{guarded.host}{WANTED}", size=size, theme=theme) as visited:
        page = visited.page
        await expect(page).to_have_title("Sign in · Undertone")
        await expect(page.get_by_label("API key")).to_be_focused()
        assert await visited.violations() == []
        await sign_in(page, new_key())
        await expect(page.get_by_text("There is no such API key")).to_be_visible()
        assert await visited.violations() == []
        assert await visited.width_beyond() <= 0
        assert visited.complaints == []


@pytest.mark.parametrize("size", SIZES)
async def test_the_wanted_page_opens_after_it_with_its_connection_and_its_files(
    browser: Browser, guarded: Api, size: str
) -> None:
    async with visit(browser, f"http://{guarded.host}{WANTED}", size=size) as visited:
        page = visited.page
        await sign_in(page, READ)
        await expect_found(visited)
        assert page.url.endswith(WANTED)
        await page.get_by_role("button", name="Export").click()
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name="CSV", exact=True).click()
        assert CONTENT in (await (await downloading.value).path()).read_text()
        # Another page of the browser is signed in as well, and so is this one when it is loaded again.
        await page.reload()
        await expect_found(visited)
        assert await visited.violations() == []
        assert await visited.width_beyond() <= 0
        # No script of a page can read the key.
        assert await page.evaluate("document.cookie") == ""
        assert visited.complaints == []


async def test_a_key_that_has_ended_is_asked_for_again_with_a_sentence(browser: Browser, guarded: Api) -> None:
    async with visit(browser, f"http://{guarded.host}{WANTED}") as visited:
        page = visited.page
        await sign_in(page, READ)
        await expect_found(visited)
        await page.context.add_cookies([{"name": COOKIE, "value": new_key(), "url": f"http://{guarded.host}"}])
        await page.get_by_role("link", name="Alerts").click()
        await expect(page.get_by_text("Your key is no longer valid")).to_be_visible()
        assert await visited.violations() == []
        await sign_in(page, READ)
        await expect(page).to_have_title("Alerts · Undertone")


async def test_whoever_signs_out_is_out(browser: Browser, guarded: Api) -> None:
    async with visit(browser, f"http://{guarded.host}{WANTED}") as visited:
        page = visited.page
        await sign_in(page, READ)
        await expect_found(visited)
        await page.get_by_role("button", name="Sign out").click()
        await expect(page).to_have_title("Sign in · Undertone")
        await expect(page.get_by_text("no longer valid")).to_have_count(0)
        assert await page.context.cookies() == []


@pytest.mark.parametrize(("key", "may"), [(READ, False), (ADMIN, True)])
async def test_what_needs_another_key_says_so_in_its_place(browser: Browser, guarded: Api, key: str, may: bool) -> None:
    async with visit(browser, f"http://{guarded.host}/alerts") as visited:
        page = visited.page
        await sign_in(page, key)
        await expect(page.get_by_test_id("rule").first).to_be_visible()
        await expect(page.get_by_role("button", name="New rule")).to_have_count(int(may))
        await expect(page.get_by_text("needs a key with the scope admin")).to_have_count(int(not may))
        await page.get_by_role("link", name="Inference").click()
        await expect(page.get_by_test_id("letter")).to_have_count(1)
        await expect(page.get_by_role("button", name="Drop all")).to_have_count(int(may))
        await expect(page.get_by_text("needs a key with the scope admin")).to_have_count(int(not may))
        assert await visited.violations() == []
