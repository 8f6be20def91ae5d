"""Rules in the database against a real one: what they count, when they are evaluated, what changing them does."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from websockets.asyncio.client import ClientConnection, connect

from services.api.alerting import keyword_watch
from services.api.alerting.keyword_watch import KeywordWatch
from services.api.alerting.preview import preview
from services.api.alerting.rule import Rule
from services.api.alerting.watch import AlertWatch
from services.api.queries import alerts as queries
from services.api.queries.alert_rules import changing, insert_rule
from services.common.database import open_pool
from services.common.settings import Settings
from services.common.streams import open_redis
from services.worker.store import store
from tests.integration.test_api_live import receive
from tests.integration.test_api_server import Api, running_api
from tests.integration.test_store import analysed
from tests.posts import make_posts
from tests.rows import count_again, insert, make_older
from tests.waiting import eventually

BUILT_IN = Rule(threshold=0.5, window_minutes=5, min_posts=10)
RATIO = Rule(threshold=0.5, window_minutes=5, min_posts=10, id=1, name="ratio")
# In whole minutes that have ended, and within five of them.
AGE = timedelta(minutes=2)
BODY = {"name": "Trains", "kind": "sentiment_ratio", "threshold": 0.5, "window_minutes": 5, "min_posts": 5}


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with open_pool(database_url, max_size=10) as pool:
        yield pool


@pytest.fixture
async def watch(pool: asyncpg.Pool, redis_url: str) -> AsyncIterator[AlertWatch]:
    async with open_redis(redis_url) as client:
        yield AlertWatch(pool, client, BUILT_IN)


async def add(pool: asyncpg.Pool, *, counted_from_now: bool = False, **change: Any) -> Rule:
    """A rule, whose keyword is looked for in every post that is there already unless it shall not be."""
    async with changing(pool) as held:
        if not counted_from_now:
            await held.execute("UPDATE alert_keyword_progress SET next_id = 0")
        return await insert_rule(held, replace(RATIO, **change))


async def store_posts(pool: asyncpg.Pool, count: int, label: str, *, age: timedelta = AGE, **post: Any) -> None:
    async with pool.acquire() as held:
        stored = await held.fetchval("SELECT count(*) FROM social_media_posts")
        for number in range(stored, stored + count):
            moment = datetime.now(UTC) - age
            await insert(held, f"p{number}", label=label, ingested_at=moment, counted=False, **post)
        await count_again(held)


async def later(pool: asyncpg.Pool, minutes: int) -> None:
    """Lets time pass: everything becomes older."""
    step = timedelta(minutes=minutes)
    async with pool.acquire() as held:
        await make_older(held, step)
        await held.execute("UPDATE sentiment_alerts SET resolved_at = resolved_at - $1::interval", step)
        await held.execute(
            "UPDATE alert_rule_states SET window_end = window_end - $1::interval, cools_until = cools_until - $1", step
        )
        await held.execute("UPDATE alert_keyword_minutes SET minute = minute - $1::interval", step)
        shift = (step // timedelta(milliseconds=1)) << 20
        await held.execute("UPDATE alert_keyword_progress SET next_id = next_id - $1::bigint", shift)


async def turn(watch: AlertWatch) -> list[tuple[str, object]]:
    """What changed in one turn of the rules in the database."""
    await watch._keywords.run_once()
    return [(change.change, change.alert["rule_name"]) for change in await watch.evaluate_added()]


async def counted(pool: asyncpg.Pool) -> dict[int, tuple[int, int]]:
    rows = await pool.fetch("SELECT rule_id, sum(posts)::int, sum(matching)::int FROM alert_keyword_minutes GROUP BY 1")
    return {row[0]: (row[1], row[2]) for row in rows}


async def test_a_rule_raises_once_holds_ends_and_rests(pool: asyncpg.Pool, watch: AlertWatch) -> None:
    await add(pool)
    assert await turn(watch) == []
    await later(pool, 1)
    await store_posts(pool, 12, "negative")
    await store_posts(pool, 8, "positive")
    assert await turn(watch) == [("raised", "ratio")]
    assert await turn(watch) == []
    await later(pool, 1)
    await store_posts(pool, 5, "positive")  # 12 of 25: below the threshold, within the hysteresis
    assert await turn(watch) == []
    await later(pool, 1)
    await store_posts(pool, 5, "positive")  # 12 of 30
    assert await turn(watch) == [("resolved", "ratio")]
    await later(pool, 1)
    await store_posts(pool, 100, "negative")
    assert await turn(watch) == []  # it rests
    await later(pool, 6)
    await store_posts(pool, 100, "negative")
    assert await turn(watch) == [("raised", "ratio")]


@pytest.mark.parametrize(
    ("rule", "fires"),
    [
        ({}, True),
        ({"source": "reddit"}, True),
        ({"source": "twitter"}, False),
        ({"sentiment": "positive"}, False),
        ({"kind": "emotion_ratio", "sentiment": None, "emotion": "Anger"}, True),
        ({"kind": "emotion_ratio", "sentiment": None, "emotion": "joy"}, False),
        ({"kind": "volume", "sentiment": None, "threshold": 19.0}, True),
        ({"kind": "volume", "sentiment": None, "threshold": 20.0}, False),
        ({"kind": "volume", "sentiment": None, "threshold": 14.0, "source": "reddit"}, True),
        ({"min_posts": 21}, False),
        ({"enabled": False}, False),
        ({"keyword": "update"}, True),
        ({"keyword": "new update", "source": "reddit"}, True),
        ({"keyword": "new update", "source": "twitter"}, False),
        ({"keyword": "updates"}, False),
        ({"keyword": "#update"}, False),
        ({"keyword": "update", "kind": "emotion_ratio", "sentiment": None, "emotion": "anger"}, True),
        ({"keyword": "update", "kind": "volume", "sentiment": None, "threshold": 14.0}, True),
        ({"keyword": "update", "kind": "volume", "sentiment": None, "threshold": 15.0}, False),
    ],
)
async def test_each_kind_and_scope(pool: asyncpg.Pool, watch: AlertWatch, rule: dict[str, Any], fires: bool) -> None:
    """Fifteen angry posts of one source about an update, five happy ones of another."""
    await add(pool, **rule)
    await store_posts(pool, 15, "negative", source="reddit", content="This NEW update …", emotion="anger")
    await store_posts(pool, 5, "positive", source="twitter", content="What a day", emotion="joy")
    assert await turn(watch) == ([("raised", "ratio")] if fires else [])


async def test_posts_outside_of_the_window_or_of_the_minute_that_runs_are_not_counted(
    pool: asyncpg.Pool, watch: AlertWatch
) -> None:
    await add(pool, kind="volume", threshold=0.5)
    await store_posts(pool, 3, "negative", age=timedelta(minutes=8))
    await store_posts(pool, 3, "negative", age=timedelta(minutes=-2))
    assert await turn(watch) == []


async def test_a_post_is_counted_once_for_every_keyword_however_many_count_and_store(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers store, processes count, a few posts a turn; what is counted is what a look at every post finds."""
    monkeypatch.setattr(keyword_watch, "MAX_POSTS_PER_TURN", 70)
    monkeypatch.setattr(keyword_watch, "PORTION", 30)
    monkeypatch.setattr(queries, "SETTLED_AFTER", timedelta(milliseconds=5))
    train = await add(pool, name="train", keyword="Train")
    of_reddit = await add(pool, name="reddit", keyword="love", source="reddit")
    storing = True

    async def stores(writer: int) -> None:
        for batch in range(15):
            posts = make_posts(20, seed=batch, prefix=f"w{writer}")
            await store(pool, analysed(posts, "negative" if batch % 2 else "positive"), datetime.now(UTC))

    async def counts() -> None:
        while storing:
            await KeywordWatch(pool).run_once()

    async with asyncio.TaskGroup() as tasks:
        writers = [tasks.create_task(stores(writer)) for writer in range(3)]
        for _ in range(3):
            tasks.create_task(counts())
        await asyncio.gather(*writers)
        storing = False

    async def everything_is_read() -> bool:
        return await KeywordWatch(pool).run_once() == 0

    await eventually(everything_is_read, "nothing is left to count")
    rows = await pool.fetch(
        "SELECT content, source, sentiment_label FROM social_media_posts p"
        " JOIN sentiment_analysis ON post_row_id = p.id"
    )
    assert len(rows) == 900

    def expected(word: str, source: str | None) -> tuple[int, int]:
        found = [r for r in rows if word in r["content"].split() and source in (None, r["source"])]
        return len(found), sum(r["sentiment_label"] == "negative" for r in found)

    assert await counted(pool) == {train.id: expected("train", None), of_reddit.id: expected("love", "reddit")}


async def test_a_transaction_that_commits_late_is_waited_for(
    pool: asyncpg.Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its posts bear the moment at which it began, and are counted all the same, after others that came later."""
    monkeypatch.setattr(queries, "SETTLED_AFTER", timedelta(milliseconds=1))
    rule = await add(pool, keyword="text")
    slow = await asyncpg.connect(database_url)
    transaction = slow.transaction()
    await transaction.start()
    began = await slow.fetchval("SELECT now()")
    await insert(slow, "late", content="text", ingested_at=began, counted=False)
    for number in range(20):
        async with pool.acquire() as held:
            await insert(held, f"p{number}", content="text", counted=False)
        await KeywordWatch(pool).run_once()
    assert await counted(pool) == {}  # none of them, since a late one would be passed over
    await transaction.commit()

    async def are_counted() -> bool:
        await KeywordWatch(pool).run_once()
        return await counted(pool) == {rule.id: (21, 0)}

    await eventually(are_counted, "the post of the late transaction and those that came meanwhile")
    await slow.close()


async def test_a_transaction_that_stays_open_holds_nothing_up_for_long(
    pool: asyncpg.Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "SETTLED_AFTER", timedelta(seconds=0.1))
    monkeypatch.setattr(queries, "SETTLED_AT_LAST", timedelta(seconds=0.5))
    backup = await asyncpg.connect(database_url)
    async with backup.transaction():
        began = await backup.fetchval("SELECT now()")

        async def goes_on() -> bool:
            async with pool.acquire() as held:
                return bool(await queries.settled_before(held) > began)

        await eventually(goes_on, "the bound passes the open transaction")
    await backup.close()


async def test_after_a_time_without_us_only_what_a_window_reaches_is_read(pool: asyncpg.Pool) -> None:
    rule = await add(pool, keyword="text", window_minutes=30)
    await store_posts(pool, 4, "negative", age=timedelta(hours=3))
    await store_posts(pool, 3, "negative", age=timedelta(minutes=20))
    assert await KeywordWatch(pool).run_once() == 3
    assert await counted(pool) == {rule.id: (3, 3)}


async def test_counts_that_no_window_reaches_are_forgotten(pool: asyncpg.Pool) -> None:
    await add(pool, keyword="text")
    await store_posts(pool, 1, "negative")
    await KeywordWatch(pool).run_once()
    await later(pool, 26 * 60)
    await KeywordWatch(pool).run_once()
    assert await counted(pool) == {}


async def test_a_new_rule_does_not_count_what_was_before_it(pool: asyncpg.Pool) -> None:
    await store_posts(pool, 5, "negative")
    await KeywordWatch(pool).run_once()  # there are no rules yet
    await add(pool, keyword="text", counted_from_now=True)
    assert await KeywordWatch(pool).run_once() == 0


async def test_of_many_processes_at_once_one_raises(pool: asyncpg.Pool, watch: AlertWatch) -> None:
    await add(pool)
    await add(pool, name="keyword", keyword="text")
    await store_posts(pool, 20, "negative")
    changes = await asyncio.gather(*(turn(watch) for _ in range(8)))
    while not any(("raised", "keyword") in some for some in changes):
        changes.append(await turn(watch))
    assert sorted(change for some in changes for change in some) == [("raised", "keyword"), ("raised", "ratio")]


async def test_a_preview_is_what_the_rule_would_have_done(pool: asyncpg.Pool, watch: AlertWatch) -> None:
    """Played again, minute after minute, it raises as often."""
    chance = [(9, 1), (1, 9), (9, 1), (2, 8), (10, 0)]
    for number, (negative, positive) in enumerate(chance):
        age = timedelta(minutes=5 + 9 * number)
        await store_posts(pool, negative, "negative", age=age)
        await store_posts(pool, positive, "positive", age=age)
    rule = replace(RATIO, window_minutes=2, min_posts=5)
    found = await preview(pool, rule)
    assert found.raised == 3
    assert max(window.ratio for window in found.windows) == 1.0
    assert len(found.windows) in (288, 289)
    await later(pool, 60)
    assert (await preview(pool, rule)).raised == 3
    assert (await preview(pool, replace(rule, source="nobody"))).raised == 0
    assert (await preview(pool, replace(rule, kind="volume", threshold=9.5))).raised == 5


# --- over HTTP ------------------------------------------------------------------------------------------------------


async def written(api: Api, method: str, path: str, body: object = None, status: int = 200) -> dict[str, Any]:
    answer = await api.http.request(method, f"/api/{path}", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


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


async def raised_alert(api: Api, rule_id: int) -> dict[str, Any]:
    async def raised() -> list[dict[str, Any]]:
        alerts: list[dict[str, Any]] = (await api.get("/api/alerts", rule_id=rule_id, state="raised"))["alerts"]
        return alerts

    (alert,) = await eventually(raised, "the alert")
    return alert


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


async def test_rules_are_evaluated_while_redis_is_away(pool: asyncpg.Pool) -> None:
    async with open_redis("redis://127.0.0.1:1/0") as away:
        watch = AlertWatch(pool, away, BUILT_IN)
        await add(pool)
        await store_posts(pool, 20, "negative", age=timedelta(minutes=2))
        with pytest.raises(Exception, match="Redis"):
            await watch.run_once()
    assert await pool.fetchval("SELECT count(*) FROM sentiment_alerts WHERE rule_id > 0") == 1
