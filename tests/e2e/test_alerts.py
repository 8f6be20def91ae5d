"""The page of alerts: what is raised, why, who was told, and the rules, against rules that really fire."""

import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from services.common.messages import Post
from tests.e2e.hook import Hook
from tests.e2e.site import Site, Theme, visit
from tests.waiting import eventually

pytestmark = [pytest.mark.pages, pytest.mark.timeout(300)]

# A rule looks at whole minutes, and at none in which a transaction may still be open.
RAISED_WITHIN_MS = 150_000
ANGRY = "I am so angry, they lied to us again"


def posts_of(source: str, count: int = 6) -> list[Post]:
    """Negative ones, from a source of their own."""
    return [
        Post(post_id=f"{source}-{i}", source=source, content=ANGRY, author="ada", created_at=datetime.now(UTC))
        for i in range(count)
    ]


def rule(name: str, **changes: object) -> dict[str, object]:
    return {"name": name, "kind": "sentiment_ratio", "threshold": 0.5, "window_minutes": 1, "min_posts": 3} | changes


def card(page: Page, name: str) -> Locator:
    """The alert of a rule among those that are raised now."""
    return page.get_by_test_id("alerts-now").get_by_test_id("alert-item").filter(has_text=name)


def row(page: Page, name: str) -> Locator:
    return page.get_by_test_id("rule").filter(has_text=name)


async def add_rule(page: Page, name: str, source: str) -> None:
    """By the form; the rule tells the webhook `ops`."""
    await page.get_by_role("button", name="New rule").click()
    form = page.get_by_test_id("rule-form")
    await form.get_by_label("Name").fill(name)
    await form.get_by_label("Window, in minutes").fill("1")
    await form.get_by_label("Least number of posts").fill("3")
    await form.get_by_label("Source").fill(source)
    await form.get_by_label("ops", exact=True).check()
    await form.get_by_role("button", name="Add the rule").click()
    await expect(form).to_have_count(0)
    await expect(row(page, name)).to_contain_text(f"More than 50 % of the posts from {source} negative")
    await expect(row(page, name)).to_contain_text("Its first window is not over yet")


async def explains(page: Page, site: Site, alert_id: str, posts: set[str]) -> None:
    """The detail shows what the API says of the alert, with the very posts, and their ways here."""
    found = (await site.get(f"/api/alerts/{alert_id}"))["explanation"]
    await expect(page.get_by_test_id("alert-sentence")).to_have_text(found["sentence"])
    await expect(page.get_by_test_id("alert-chart")).to_contain_text("Window from")
    await expect(page.get_by_test_id("alert-chart").locator("canvas")).to_be_visible()
    shown = page.get_by_test_id("alert-posts").locator("li")
    ids = [str(await each.get_attribute("data-post-id")) for each in await shown.all()]
    assert ids == [post["post_id"] for post in found["posts"]]
    assert len(ids) >= 3
    assert {*ids} <= posts
    await expect(shown.first.get_by_role("link", name="Journey")).to_have_attribute(
        "href", re.compile(rf"alert={alert_id}&post={ids[0]}")
    )


async def only_live(page: Page) -> None:
    """What is raised comes from the connection from now on: asking for it fails."""
    await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "connected")
    await page.route(re.compile(r"/api/alerts\?.*state=raised"), lambda route: route.abort())


async def delete_by_keyboard(page: Page, name: str) -> None:
    await row(page, name).get_by_role("button", name=f"Delete {name}").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("one that is raised is resolved")
    await page.get_by_role("button", name="Delete the rule").focus()
    await page.keyboard.press("Enter")
    await expect(row(page, name)).to_have_count(0)


async def test_a_rule_of_the_form_fires_live_and_is_acknowledged_for_everybody(
    browser: Browser, site: Site, hook: Hook
) -> None:
    """From the form to the webhook: two browsers, own posts, no reload."""
    source = f"live-{uuid4().hex[:8]}"
    name = f"Angry on {source}"
    posts = posts_of(source)
    async with (
        visit(browser, site.url + "/alerts") as desk,
        visit(browser, site.url + "/inference", size="phone", theme="dark") as phone,
    ):
        page, other = desk.page, phone.page
        banner = other.get_by_test_id("alert-banner")
        await expect(page.get_by_test_id(re.compile("^alerts-(now|calm)$"))).to_be_visible()
        await only_live(page)
        await only_live(other)
        await add_rule(page, name, source)
        await site.store(posts)
        await expect(card(page, name)).to_be_visible(timeout=RAISED_WITHIN_MS)
        await expect(row(page, name)).to_contain_text("Raised")
        alert_id = str(await card(page, name).get_attribute("data-alert-id"))
        await expect(other.get_by_test_id("alert-badge")).to_contain_text("not acknowledged")
        await banner.get_by_role("link", name=f"Why? {name}").click()
        await expect(other).to_have_url(re.compile(rf"/alerts\?alert={alert_id}$"))
        await explains(other, site, alert_id, {post.post_id for post in posts})
        delivery = other.get_by_test_id("deliveries").locator("li")
        await expect(delivery).to_contain_text("ops, raised: delivered")
        assert hook.events(name) == ["alert.raised"]
        assert await phone.violations() == []
        assert await phone.width_beyond() <= 0

        detail = other.get_by_test_id("alert-detail")
        await card(page, name).get_by_role("textbox").fill("We know <b>it</b>")
        await card(page, name).get_by_role("button", name="Acknowledge").click()
        await expect(detail).to_contain_text("acknowledged: “We know <b>it</b>”")
        await expect(banner).not_to_contain_text(name)
        await detail.get_by_role("button", name="Take the acknowledgement back").click()
        await expect(card(page, name).get_by_role("button", name="Acknowledge")).to_be_visible()
        await expect(banner).to_contain_text(name)
        await other.keyboard.press("Escape")
        await expect(other).to_have_url(site.url + "/alerts")

        assert await desk.violations() == []
        await delete_by_keyboard(page, name)
        await expect(card(page, name)).to_have_count(0)
        await expect(banner).not_to_contain_text(name)
        history = other.get_by_test_id("alert-history").get_by_test_id("alert-item").filter(has_text=name)
        await expect(history).to_contain_text("Resolved")

        async def end_is_told() -> bool:
            return hook.events(name) == ["alert.raised", "alert.resolved"]

        await eventually(end_is_told, "the webhook is told of the end")
        assert desk.complaints + phone.complaints == []


@pytest.mark.parametrize(("size", "theme"), [("phone", "light"), ("desktop", "dark")])
async def test_the_form_says_what_is_wrong_at_its_field(browser: Browser, site: Site, size: str, theme: Theme) -> None:
    """The server's complaints stand at their fields and are read with them; what is mended is gone."""
    async with visit(browser, site.url + "/alerts", size=size, theme=theme) as visited:
        page = visited.page
        await page.get_by_role("button", name="New rule").click()
        form = page.get_by_test_id("rule-form")
        assert await visited.violations() == []
        await form.get_by_label("Limit, in per cent").fill("150")
        await form.get_by_label("Window, in minutes").fill("five")
        await form.get_by_label("With the words").fill("…")
        await form.get_by_role("button", name="Add the rule").click()
        wrong = {
            "Name": "It must not be empty.",
            "Window, in minutes": "A whole number of minutes is needed.",
            "With the words": "Has no word, number or emoji in it.",
        }
        for label, sentence in wrong.items():
            await expect(form.get_by_label(label)).to_have_accessible_description(sentence)
            await expect(form.get_by_label(label)).to_have_attribute("aria-invalid", "true")
        assert await visited.violations() == []
        assert await visited.width_beyond() <= 0

        # What is about several fields together is looked at when each of them is well by itself.
        await form.get_by_label("Name").fill("High negative ratio")
        await form.get_by_label("Window, in minutes").fill("5")
        await form.get_by_label("With the words").fill("")
        await form.get_by_role("button", name="Add the rule").click()
        await expect(form.get_by_label("Limit, in per cent")).to_have_accessible_description(
            "It has to be below 100 %."
        )
        await expect(form.get_by_label("Name")).not_to_have_attribute("aria-invalid", "true")

        taken = f"Taken {uuid4().hex[:8]}"
        made = await site.ask("POST", "/api/alert-rules", rule(taken, enabled=False))
        await form.get_by_label("Name").fill(taken)
        await form.get_by_label("Limit, in per cent").fill("50")
        await form.get_by_role("button", name="Add the rule").click()
        await expect(form.get_by_label("Name")).to_have_accessible_description(f"Another rule is called “{taken}”.")
        await site.ask("DELETE", f"/api/alert-rules/{made['id']}")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        assert visited.complaints == []


async def test_a_rule_is_tried_on_the_last_day_before_it_is_saved(browser: Browser, site: Site) -> None:
    """The preview says what the API says of the rule as it stands in the form, and goes when that changes."""
    async with visit(browser, site.url + "/alerts") as visited:
        page = visited.page
        await page.get_by_role("button", name="New rule").click()
        form, preview = page.get_by_test_id("rule-form"), page.get_by_test_id("rule-preview")
        await form.get_by_role("radio", name="Volume").check()
        await form.get_by_label("Limit, in posts").fill("1000000")
        await preview.get_by_role("button", name="Try on the last 24 hours").click()
        await expect(preview).to_contain_text("It would not have fired in the last 24 hours.")
        await expect(preview.locator("canvas")).to_be_visible()
        assert await visited.violations() == []
        await form.get_by_label("With the words").fill("train")
        await expect(preview).not_to_contain_text("It would")
        await preview.get_by_role("button", name="Try on the last 24 hours").click()
        await expect(preview).to_contain_text("No preview: not available for a rule with a keyword")


async def test_a_rule_is_switched_and_edited_and_that_of_the_settings_is_not(browser: Browser, site: Site) -> None:
    name = f"Edited {uuid4().hex[:8]}"
    made = await site.ask("POST", "/api/alert-rules", rule(name, threshold=0.29, emotion=None))

    async def stored() -> dict[str, object]:
        rules: list[dict[str, object]] = (await site.get("/api/alert-rules"))["rules"]
        return next(each for each in rules if each["id"] == made["id"])

    async with visit(browser, site.url + "/alerts") as visited:
        page = visited.page
        built_in = row(page, "High negative ratio")
        await expect(built_in).to_contain_text("ALERT_NEGATIVE_RATIO_THRESHOLD")
        await expect(built_in.get_by_role("button")).to_have_count(0)
        await expect(built_in.get_by_role("checkbox")).to_have_count(0)

        await row(page, name).get_by_role("checkbox").uncheck()
        await expect(row(page, name)).to_contain_text("Switched off")
        off = await stored()
        assert (off["enabled"], off["threshold"], off["min_posts"]) == (False, 0.29, 3)

        await row(page, name).get_by_role("button", name=f"Edit {name}").click()
        form = page.get_by_test_id("rule-form")
        await expect(form.get_by_label("Limit, in per cent")).to_have_value("29")
        await form.get_by_role("radio", name="Emotion").check()
        await form.get_by_role("combobox", name="Emotion").select_option("fear")
        await form.get_by_label("Limit, in per cent").fill("12.5")
        await form.get_by_role("button", name="Save").click()
        await expect(row(page, name)).to_contain_text("showing fear")
        changed = await stored()
        assert (changed["kind"], changed["emotion"], changed["threshold"]) == ("emotion_ratio", "fear", 0.125)
        assert visited.complaints == []
    await site.ask("DELETE", f"/api/alert-rules/{made['id']}")


async def test_a_webhook_is_tried_by_a_button(browser: Browser, site: Site, hook: Hook) -> None:
    """What the receiver answers is what the page says."""
    async with visit(browser, site.url + "/alerts") as visited:
        webhooks = visited.page.get_by_test_id("webhooks")
        button = webhooks.get_by_role("button", name="Send a test message to ops")
        await button.click()
        await expect(webhooks).to_contain_text("The receiver answered 200.")
        assert hook.received[-1]["event"] == "test"
        hook.status = 410
        try:
            await button.click()
            await expect(webhooks).to_contain_text("The receiver answered 410.")
        finally:
            hook.status = 200
        assert await visited.violations() == []
        content = await visited.page.content()
        assert str(hook.port) not in content


async def test_the_history_is_filtered_and_paged_in_the_address(browser: Browser, site: Site) -> None:
    """25 alerts of a rule that is gone: two pages, by state; one of them with a webhook that was given up."""
    gone = 2**40 + uuid4().int % 2**20
    connection = await site.running.connect()
    try:
        rows = await connection.fetch(
            """
            INSERT INTO sentiment_alerts (alert_type, threshold_value, actual_value, window_start, window_end,
                                          post_count, triggered_at, resolved_at, rule_id, rule_name, details)
            SELECT 'volume:' || $1::bigint, 10, 20 + i, at, at + interval '5 minutes', 20 + i,
                   at + interval '5 minutes', at + interval '9 minutes', $1, 'Long ago', '{"kind": "volume"}'
              FROM (SELECT i, timestamptz '2026-01-01' + i * interval '1 hour' AS at
                      FROM generate_series(1, 25) AS i) AS hours
            RETURNING id
            """,
            gone,
        )
        last = max(each["id"] for each in rows)
        await connection.execute(
            """
            INSERT INTO alert_deliveries (alert_id, webhook, change, body, attempts, last_error, given_up_at)
            VALUES ($1, 'gone', 'raised', '{}', 17, 'the receiver answered 503', now())
            """,
            last,
        )
    finally:
        await connection.close()
    async with visit(browser, f"{site.url}/alerts?rule={gone}") as visited:
        page = visited.page
        items = page.get_by_test_id("alert-history").get_by_test_id("alert-item")
        await expect(items).to_have_count(20)
        await expect(items.first).to_contain_text("45 posts came")
        await expect(page.get_by_label("Rule", exact=True)).to_have_value(str(gone))
        await page.get_by_role("button", name="Older").click()
        await expect(page).to_have_url(re.compile(r"page=2"))
        await expect(items).to_have_count(5)
        await expect(page.get_by_role("button", name="Older")).to_be_disabled()
        await page.get_by_role("radio", name="Raised").click()
        await expect(page).to_have_url(re.compile(r"state=raised"))
        await expect(page.get_by_text("No such alert")).to_be_visible()
        await page.go_back()
        await expect(items).to_have_count(5)
        await page.get_by_role("button", name="Newer").click()
        await expect(items).to_have_count(20)
        assert await visited.violations() == []

        await items.first.get_by_role("link", name="Long ago").click()
        await expect(page).to_have_url(re.compile(rf"rule={gone}&alert={last}"))
        delivery = page.get_by_test_id("deliveries").locator("li")
        await expect(delivery).to_contain_text("gone, raised: given up after 17 attempts. The receiver answered 503.")
        await expect(page.get_by_test_id("alert-detail")).to_contain_text("45 posts came within 5 minutes")
        assert await visited.violations() == []
        await page.keyboard.press("Escape")
        await expect(items.first.get_by_role("link", name="Long ago")).to_be_focused()

        await page.goto(f"{site.url}/alerts?alert=999999999&rule=x&page=-1")
        await expect(page.get_by_role("dialog")).to_contain_text("There is no such alert.")
        assert visited.complaints == []
