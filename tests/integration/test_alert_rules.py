"""Rules and alerts over the API: written, changed, explained, acknowledged."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from websockets.asyncio.client import ClientConnection, connect

from services.common.settings import Settings
from tests.integration.alert_rules import (
    AGE,
    BODY,
    add,
    raised_alert,
    store_posts,
    written,
)
from tests.integration.test_api_live import receive
from tests.integration.test_api_server import Api, running_api
from tests.waiting import eventually


async def test_rules_are_written_listed_changed_and_deleted(api: Api) -> None:
    (built_in,) = (await api.get("/api/alert-rules"))["rules"]
    assert (built_in["id"], built_in["built_in"], built_in["name"]) == (0, True, "High negative ratio")
    made = await written(api, "POST", "alert-rules", BODY | {"keyword": "train", "source": "reddit"}, 201)
    assert made["id"] > 0
    assert (made["state"], made["last_value"], made["evaluated_at"]) == ("unknown", None, None)
    assert (made["sentiment"], made["keyword"], made["source"], made["built_in"]) == (
        "negative",
        "train",
        "reddit",
        False,
    )
    changed = await written(api, "PUT", f"alert-rules/{made['id']}", BODY | {"threshold": 0.75, "enabled": False})
    assert (changed["threshold"], changed["keyword"], changed["enabled"]) == (0.75, None, False)
    listed = await api.get("/api/alert-rules")
    assert listed["rules"][1:] == [changed]
    assert (listed["webhooks"], listed["limit"]) == ([], 100)
    assert await written(api, "DELETE", f"alert-rules/{made['id']}") == changed
    assert len((await api.get("/api/alert-rules"))["rules"]) == 1


@pytest.mark.parametrize(
    ("request_", "body", "status", "sentence"),
    [
        ("PUT alert-rules/0", BODY, 409, "settings"),
        ("DELETE alert-rules/0", None, 409, "settings"),
        ("PUT alert-rules/99", BODY, 404, "no such rule"),
        ("DELETE alert-rules/99", None, 404, "no such rule"),
        ("PUT alert-rules/9223372036854775808", BODY, 422, "rule_id"),
        ("POST alert-rules", BODY | {"threshold": 2}, 422, "below 1"),
        ("POST alert-rules", BODY | {"webhooks": ["ops"]}, 422, "ALERT_WEBHOOKS has no ops"),
        ("POST alert-rules", BODY | {"name": "tRAINS"}, 409, "tRAINS"),
        ("POST alert-rules", [], 422, "body"),
        ("POST alert-rule-preview", BODY | {"kind": "volume", "sentiment": "negative"}, 422, "sentiment"),
        ("GET alerts/99", None, 404, "no such alert"),
        ("POST alerts/99/acknowledge", {}, 404, "no such alert"),
        ("DELETE alerts/99/acknowledge", None, 404, "no such alert"),
        ("POST alerts/99/acknowledge", {"note": "n" * 501}, 422, "note"),
        ("POST webhooks/nobody/test", {}, 404, "no webhook"),
    ],
)
async def test_what_cannot_be_done_is_told_in_a_sentence(
    api: Api, request_: str, body: object, status: int, sentence: str
) -> None:
    await written(api, "POST", "alert-rules", BODY, 201)
    method, path = request_.split()
    assert sentence in (await written(api, method, path, body, status))["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "alert-rules"),
        ("PUT", "alert-rules/1"),
        ("POST", "alert-rule-preview"),
        ("POST", "alerts/1/acknowledge"),
        ("POST", "webhooks/ops/test"),
    ],
)
async def test_pages_of_other_sites_and_forms_change_nothing(api: Api, method: str, path: str) -> None:
    elsewhere = await api.http.request(method, f"/api/{path}", json=BODY, headers={"Origin": "https://other.example"})
    assert elsewhere.status_code == 403
    form = await api.http.request(method, f"/api/{path}", content="{}", headers={"Content-Type": "text/plain"})
    assert form.status_code == 415


@pytest.mark.parametrize("path", ["alert-rules/1", "alerts/1/acknowledge"])
async def test_pages_of_other_sites_delete_nothing(api: Api, path: str) -> None:
    answer = await api.http.delete(f"/api/{path}", headers={"Origin": "https://other.example"})
    assert answer.status_code == 403


async def test_there_are_a_hundred_rules_at_most_also_when_many_are_written_at_once(api: Api) -> None:
    async def write(number: int) -> int:
        return (await api.http.post("/api/alert-rules", json=BODY | {"name": f"rule {number}"})).status_code

    statuses: list[int] = []
    for first in range(0, 120, 20):
        statuses += await asyncio.gather(*(write(number) for number in range(first, first + 20)))
    assert sorted(statuses) == [201] * 100 + [409] * 20
    listed = (await api.get("/api/alert-rules"))["rules"]
    assert len(listed) == 101
    assert len((await api.get("/api/alert-rules"))["rules"]) == 101
    # Room for one more when one is gone, and not for two.
    await written(api, "DELETE", f"alert-rules/{listed[-1]['id']}")
    assert [await write(500), await write(501)] == [201, 409]


@pytest.fixture
async def quick_api(settings: Settings) -> AsyncIterator[Api]:
    async with running_api(settings.model_copy(update={"alert_interval_s": 0.05})) as api:
        await api.becomes("healthy")
        yield api


async def test_an_alert_is_explained(quick_api: Api, pool: asyncpg.Pool) -> None:
    """A sentence, the minutes around it, and posts that made it: those of its scope that match, the newest first."""
    await store_posts(pool, 25, "negative", source="reddit", content="a train", age=AGE + timedelta(seconds=1))
    await store_posts(pool, 5, "positive", source="reddit", content="a train")
    await store_posts(pool, 9, "negative", source="twitter", content="a train")
    rule = await written(quick_api, "POST", "alert-rules", BODY | {"source": "reddit"}, 201)
    alert = await raised_alert(quick_api, rule["id"])
    assert (alert["rule_name"], alert["scope"]) == (
        "Trains",
        {"source": "reddit", "keyword": None, "emotion": None},
    )
    assert (alert["post_count"], alert["details"]["matching"], alert["actual_value"]) == (30, 25, pytest.approx(5 / 6))
    found = await quick_api.get(f"/api/alerts/{alert['id']}")
    assert found["alert"] == alert
    assert found["deliveries"] == []
    explanation = found["explanation"]
    assert explanation["sentence"].startswith("83.3 % of 30 posts from reddit were negative within 5 minutes")
    assert explanation["threshold"] == 0.5
    assert len(explanation["posts"]) == 20
    assert {post["sentiment"]["label"] for post in explanation["posts"]} == {"negative"}
    assert {post["source"] for post in explanation["posts"]} == {"reddit"}
    series = explanation["series"]
    assert 10 <= len(series) <= 15
    assert (sum(point["total"] for point in series), sum(point["matching"] for point in series)) == (30, 25)


async def test_an_alert_of_a_keyword_is_explained_also_when_its_counts_are_gone(
    quick_api: Api, pool: asyncpg.Pool
) -> None:
    await store_posts(pool, 6, "negative", content="a train", age=AGE)
    await store_posts(pool, 3, "positive", content="a train")
    await store_posts(pool, 30, "negative", content="rain")
    other = await add(pool, name="bus", keyword="bus", min_posts=5)
    rule = await add(pool, name="train", keyword="Train", min_posts=5)
    alert = await raised_alert(quick_api, rule.id)
    explanation = (await quick_api.get(f"/api/alerts/{alert['id']}"))["explanation"]
    assert explanation["sentence"].startswith("66.7 % of 9 posts with “Train” were negative")
    assert sorted(post["post_id"] for post in explanation["posts"]) == [f"p{number}" for number in range(6)]
    assert sum(point["total"] for point in explanation["series"]) == 9
    await pool.execute("DELETE FROM alert_keyword_minutes")
    explanation = (await quick_api.get(f"/api/alerts/{alert['id']}"))["explanation"]
    assert explanation["series"] == []
    assert len(explanation["posts"]) == 6
    assert (await quick_api.get("/api/alerts", rule_id=other.id))["total"] == 0


async def test_the_alert_of_the_settings_is_explained_too(quick_api: Api, pool: asyncpg.Pool) -> None:
    await store_posts(pool, 12, "negative", age=timedelta(seconds=1))
    alert = await raised_alert(quick_api, 0)
    assert (alert["rule_id"], alert["rule_name"]) == (0, "High negative ratio")
    explanation = (await quick_api.get(f"/api/alerts/{alert['id']}"))["explanation"]
    assert explanation["sentence"] == "100 % of 12 posts were negative within 5 minutes; the limit is 50 %."
    assert len(explanation["posts"]) == 12


async def test_an_alert_from_before_there_were_rules_is_that_of_the_settings(api: Api, pool: asyncpg.Pool) -> None:
    await pool.execute(
        """INSERT INTO sentiment_alerts
                  (alert_type, threshold_value, actual_value, window_start, window_end, post_count)
           VALUES ('high_negative_ratio', 0.5, 0.75, now() - interval '5 minutes', now(), 12),
                  ('of another program', 0.5, 0.75, now() - interval '5 minutes', now(), 12)"""
    )
    ours = (await api.get("/api/alerts", rule_id=0))["alerts"]
    assert [(alert["rule_id"], alert["rule_name"]) for alert in ours] == [(0, "High negative ratio")]
    theirs, _ = (await api.get("/api/alerts"))["alerts"]
    assert (theirs["rule_id"], theirs["rule_name"]) == (None, "of another program")
    for alert in (*ours, theirs):
        assert (await api.get(f"/api/alerts/{alert['id']}"))["explanation"]["sentence"]


async def after_raising(browser: ClientConnection) -> dict[str, Any]:
    """The next frame of an alert that is not its raising, which may be announced only now."""
    while (frame := await receive(browser, "alert"))["change"] == "raised":
        pass
    return frame


async def test_acknowledging_is_idempotent_taken_back_and_announced(quick_api: Api, pool: asyncpg.Pool) -> None:
    await store_posts(pool, 12, "negative", age=timedelta(seconds=1))
    alert = await raised_alert(quick_api, 0)
    path = f"alerts/{alert['id']}/acknowledge"
    async with connect(quick_api.live_url) as browser:
        assert (await receive(browser, "connected"))["message"]

        async def said(method: str, body: object = None) -> dict[str, Any]:
            answer = await written(quick_api, method, path, body)
            frame = await after_raising(browser)
            assert (frame["change"], frame["data"]) == ("acknowledged", answer)
            return answer

        first = await said("POST", {"note": "we know"})
        assert (first["acknowledged_note"], first["resolved_at"]) == ("we know", None)
        assert first["acknowledged_at"]
        assert await written(quick_api, "POST", path, {"note": "me too"}) == first
        assert (await quick_api.get("/api/alerts", state="unacknowledged"))["total"] == 0
        back = await said("DELETE")  # the next frame: of the second acknowledgement there was none
        assert (back["acknowledged_at"], back["acknowledged_note"]) == (None, None)
        assert await written(quick_api, "DELETE", path) == back
        assert (await said("POST", {}))["acknowledged_note"] is None
    assert (await quick_api.get("/api/alerts", state="resolved"))["total"] == 0


async def test_a_rule_that_is_changed_begins_anew_and_its_alert_ends(quick_api: Api, pool: asyncpg.Pool) -> None:
    await store_posts(pool, 20, "negative")
    rule = await written(quick_api, "POST", "alert-rules", BODY, 201)
    path = f"alert-rules/{rule['id']}"
    alert = await raised_alert(quick_api, rule["id"])
    same = await written(quick_api, "PUT", path, BODY)
    assert same["state"] == "raised"  # nothing was changed
    async with connect(quick_api.live_url) as browser:
        assert (await receive(browser, "connected"))["message"]
        changed = await written(quick_api, "PUT", path, BODY | {"threshold": 0.9, "min_posts": 1_000})
        assert (changed["state"], changed["last_value"]) == ("unknown", None)
        frame = await after_raising(browser)
    assert (frame["change"], frame["data"]["id"]) == ("resolved", alert["id"])
    assert frame["data"]["details"]["resolved"] == {"reason": "rule was changed"}
    await written(quick_api, "PUT", path, BODY)  # there is no rest: it is another rule now
    assert (await raised_alert(quick_api, rule["id"]))["id"] > alert["id"]


async def test_a_rule_that_is_deleted_leaves_its_alerts_with_its_name(quick_api: Api, pool: asyncpg.Pool) -> None:
    await store_posts(pool, 20, "negative")
    rule = await written(quick_api, "POST", "alert-rules", BODY, 201)
    alert = await raised_alert(quick_api, rule["id"])
    await written(quick_api, "DELETE", f"alert-rules/{rule['id']}")
    (left,) = (await quick_api.get("/api/alerts", rule_id=rule["id"]))["alerts"]
    assert (left["id"], left["rule_name"]) == (alert["id"], "Trains")
    assert left["resolved_at"]
    assert (await quick_api.get(f"/api/alerts/{alert['id']}"))["explanation"]["posts"]
    for table, column in (
        ("alert_rules", "id"),
        ("alert_rule_states", "rule_id"),
        ("alert_keyword_minutes", "rule_id"),
    ):
        assert await pool.fetchval(f"SELECT count(*) FROM {table} WHERE {column} > 0") == 0


async def test_the_list_says_what_each_rule_saw_last(quick_api: Api, pool: asyncpg.Pool) -> None:
    await store_posts(pool, 6, "negative")
    await store_posts(pool, 6, "positive")
    calm = await written(quick_api, "POST", "alert-rules", BODY | {"name": "calm", "threshold": 0.6}, 201)
    few = await written(quick_api, "POST", "alert-rules", BODY | {"name": "few", "min_posts": 100}, 201)
    off = await written(quick_api, "POST", "alert-rules", BODY | {"name": "off", "enabled": False}, 201)

    async def seen() -> dict[int, tuple[str, float | None, int | None]]:
        rules = (await quick_api.get("/api/alert-rules"))["rules"]
        found = {rule["id"]: (rule["state"], rule["last_value"], rule["last_posts"]) for rule in rules}
        return found if found[few["id"]][1] is not None else {}

    found = await eventually(seen, "the rules were evaluated")
    assert found[calm["id"]] == ("calm", 0.5, 12)
    assert found[few["id"]] == ("unknown", 0.5, 12)
    assert found[off["id"]] == ("unknown", None, None)


async def test_a_preview_saves_nothing_and_of_a_keyword_there_is_none(api: Api, pool: asyncpg.Pool) -> None:
    await store_posts(pool, 20, "negative")
    found = await written(api, "POST", "alert-rule-preview", BODY)
    assert (found["available"], found["would_have_fired"], found["hours"]) == (True, 1, 24)
    assert max(point["value"] for point in found["series"]) == 1.0
    none = await written(api, "POST", "alert-rule-preview", BODY | {"keyword": "train"})
    assert (none["available"], none["would_have_fired"], none["series"]) == (False, None, [])
    assert "not available" in none["reason"]
    assert await pool.fetchval("SELECT count(*) FROM alert_rules") == 0
