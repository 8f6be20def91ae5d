"""Webhooks with a real receiver: every message arrives, whoever fails, and nobody waits for a receiver that hangs."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.api.alerting import delivery as webhook_delivery
from services.api.alerting import webhooks
from services.api.alerting.delivery import Courier, WebhookMetrics
from services.api.alerting.rule import Rule
from services.api.alerting.watch import AlertWatch
from services.api.alerting.webhooks import Webhooks, open_webhooks
from services.api.metrics import ApiMetrics
from services.api.queries import deliveries
from services.common.settings import Settings
from services.common.streams import open_redis
from tests.integration.alert_rules import BODY, add, later, raised_alert, store_posts, turn, written
from tests.integration.test_api_server import Api, running_api
from tests.ports import free_port
from tests.processes import service
from tests.receiver import HANG, Receiver, receiving
from tests.waiting import eventually

BUILT_IN = Rule(threshold=0.5, window_minutes=5, min_posts=10, webhooks=("ops",))


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is asked directly, whatever the machine has set."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_delivery, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr("services.api.state.POLL_INTERVAL_S", 0.05)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def sender(receiver: Receiver) -> AsyncIterator[Webhooks]:
    async with open_webhooks({"ops": receiver.url}) as sender:
        yield sender


@pytest.fixture
def courier(pool: asyncpg.Pool, sender: Webhooks) -> Courier:
    return new_courier(pool, sender)


def new_courier(pool: asyncpg.Pool, sender: Webhooks) -> Courier:
    return Courier(pool, sender, "ops", WebhookMetrics(ApiMetrics().registry))


async def put(pool: asyncpg.Pool, alert_id: int = 1, change: str = "raised") -> None:
    """A message of an alert, as whoever raises it puts it into the outbox."""
    async with pool.acquire() as held, held.transaction():
        await deliveries.enqueue(held, alert_id, ["ops"], change, f'{{"event": "alert.{change}", "n": {alert_id}}}')


async def rows(pool: asyncpg.Pool) -> list[dict[str, Any]]:
    return [dict(row) for row in await pool.fetch("SELECT * FROM alert_deliveries ORDER BY id")]


async def is_done(pool: asyncpg.Pool, courier: Courier) -> bool:
    await courier.run_once()
    return all(row["delivered_at"] for row in await rows(pool))


async def pass_time(pool: asyncpg.Pool, step: timedelta) -> None:
    await pool.execute(
        "UPDATE alert_deliveries SET created_at = created_at - $1::interval, next_attempt_at = next_attempt_at - $1",
        step,
    )


async def test_an_alert_is_delivered_once_when_it_is_raised_and_once_when_it_ends(
    pool: asyncpg.Pool, receiver: Receiver, courier: Courier, redis_url: str
) -> None:
    async with open_redis(redis_url) as redis:
        watch = AlertWatch(pool, redis, BUILT_IN, ("ops", "other"))
        await add(pool, webhooks=("ops", "gone"))
        await add(pool, name="silent")
        await store_posts(pool, 20, "negative")
        assert sorted(await turn(watch)) == [("raised", "ratio"), ("raised", "silent")]
        await courier.run_once()
        await courier.run_once()
        (raised,) = receiver.received
        assert (raised.path, raised.headers["content-type"]) == ("/hooks/s3cret", "application/json")
        assert (raised.body["text"], raised.body["event"]) == ("Alert: ratio", "alert.raised")
        await later(pool, 6)
        await turn(watch)
        await courier.run_once()
    assert receiver.events == ["alert.raised", "alert.resolved"]
    assert len({request.delivery for request in receiver.received}) == 2
    assert receiver.received[1].body["alert"]["id"] == raised.body["alert"]["id"]


async def test_the_alert_and_its_message_are_one_transaction(
    pool: asyncpg.Pool, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the message cannot be written there is no alert either, and the next turn raises it."""
    async with open_redis(redis_url) as redis:
        watch = AlertWatch(pool, redis, BUILT_IN, ("ops",))
        await add(pool, webhooks=("ops",))
        await store_posts(pool, 20, "negative")
        with monkeypatch.context() as broken:
            broken.setattr(deliveries, "_ENQUEUE", "SELECT 1 / ($1::bigint - $1), $2::text[], $3::text, $4::text")
            with pytest.raises(Exception, match="division"):
                await turn(watch)
        assert await pool.fetchval("SELECT count(*) FROM sentiment_alerts") == 0
        assert await turn(watch) == [("raised", "ratio")]
    assert len(await rows(pool)) == 1


@pytest.mark.parametrize("failures", [[500], [429, 503], [400, 404, 302], [HANG, 500], [500] * 5])
async def test_what_fails_is_tried_again_until_it_is_taken(
    pool: asyncpg.Pool, receiver: Receiver, courier: Courier, failures: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.will(*failures)
    await put(pool)
    if failures[0] == HANG:  # with so little time for it alone: an answer may take longer on a busy machine
        with monkeypatch.context() as hurried:
            hurried.setattr(webhooks, "ATTEMPT_TIMEOUT_S", 0.5)
            await courier.run_once()
    await eventually(lambda: is_done(pool, courier), "the message is taken")
    assert len(receiver.received) == len(failures) + 1
    assert len({request.delivery for request in receiver.received}) == 1  # who gets it twice can tell
    (row,) = await rows(pool)
    assert (row["attempts"], row["last_error"], row["given_up_at"]) == (len(failures) + 1, None, None)


async def test_a_receiver_that_is_away_and_comes_back_gets_what_it_missed(
    pool: asyncpg.Pool, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    async with open_webhooks({"ops": f"http://127.0.0.1:{port}/x"}) as sender:
        courier = new_courier(pool, sender)
        for number in range(3):
            await put(pool, number)
        await courier.run_once()
        assert {row["last_error"] for row in await rows(pool)} == {"no connection", None}
        server = await asyncio.start_server(receiver.serve, "127.0.0.1", port)
        await eventually(lambda: is_done(pool, courier), "everything is taken")
        server.close()
    assert [request.body["n"] for request in receiver.received] == [0, 1, 2]


@pytest.mark.parametrize("value", ["3600", "Fri, 01 Jan 2100 00:00:00 GMT"])
async def test_a_receiver_that_says_when_is_left_alone_until_then_with_all_messages(
    pool: asyncpg.Pool, receiver: Receiver, courier: Courier, value: str
) -> None:
    receiver.will((429, {"Retry-After": value}))
    for number in range(2):
        await put(pool, number)
    await courier.run_once()
    await pass_time(pool, timedelta(minutes=59))
    await courier.run_once()
    assert len(receiver.received) == 1
    first, second = await rows(pool)
    if value == "3600":
        await pass_time(pool, timedelta(minutes=2))
        await courier.run_once()
        assert [request.body["n"] for request in receiver.received] == [0, 0, 1]
    else:  # longer than anybody keeps it
        assert first["given_up_at"]
        assert second["next_attempt_at"] > first["created_at"] + timedelta(days=1)


async def test_a_message_that_the_receiver_refuses_keeps_no_other_waiting(
    pool: asyncpg.Pool, receiver: Receiver, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_delivery, "FIRST_WAIT_S", 100.0)
    receiver.will(400)
    for number in range(3):
        await put(pool, number)
    await courier.run_once()
    assert [request.body["n"] for request in receiver.received] == [0, 1, 2]
    assert [bool(row["delivered_at"]) for row in await rows(pool)] == [False, True, True]


async def test_the_end_of_an_alert_never_comes_before_its_beginning(
    pool: asyncpg.Pool, receiver: Receiver, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.will(400, 400)
    await put(pool, 1, "raised")
    await put(pool, 1, "resolved")
    await eventually(lambda: is_done(pool, courier), "both are taken")
    assert receiver.events == ["alert.raised"] * 3 + ["alert.resolved"]


async def test_after_a_day_a_message_is_given_up(pool: asyncpg.Pool, receiver: Receiver, courier: Courier) -> None:
    receiver.will(500)
    await put(pool)
    await pass_time(pool, timedelta(hours=24))
    await courier.run_once()
    (row,) = await rows(pool)
    assert row["given_up_at"]
    assert row["last_error"] == "the receiver answered 500"
    await courier.run_once()
    assert len(receiver.received) == 1


async def test_messages_of_a_webhook_that_is_in_no_settings_any_more_are_given_up(
    pool: asyncpg.Pool, redis_url: str
) -> None:
    await put(pool, 1)
    await put(pool, 2)
    await pool.execute("UPDATE alert_deliveries SET created_at = created_at - interval '25 hours' WHERE alert_id = 1")
    await pool.execute("UPDATE alert_deliveries SET next_attempt_at = now() WHERE alert_id = 1")
    async with open_redis(redis_url) as redis:
        await AlertWatch(pool, redis, BUILT_IN).evaluate_added()
    assert [bool(row["given_up_at"]) for row in await rows(pool)] == [True, False]


async def test_no_more_wait_than_there_is_room_for(
    pool: asyncpg.Pool, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pool.execute(
        """INSERT INTO alert_deliveries (alert_id, webhook, change, body)
           SELECT n, 'ops', 'raised', '{}' FROM generate_series(1, $1::int) AS n""",
        deliveries.MAX_WAITING,
    )
    await put(pool, 0)
    last = (await rows(pool))[-1]
    assert last["given_up_at"]
    assert "wait for this webhook already" in last["last_error"]


async def test_of_many_processes_one_delivers_each_message(
    pool: asyncpg.Pool, receiver: Receiver, sender: Webhooks
) -> None:
    for number in range(60):
        await put(pool, number)
    couriers = [new_courier(pool, sender) for _ in range(6)]

    async def all_are_taken() -> bool:
        await asyncio.gather(*(courier.run_once() for courier in couriers))
        return all(row["delivered_at"] for row in await rows(pool))

    await eventually(all_are_taken, "every message is taken")
    assert Counter(request.body["n"] for request in receiver.received) == Counter(range(60))


async def test_two_api_processes_deliver_an_alert_once(
    settings: Settings, receiver: Receiver, pool: asyncpg.Pool
) -> None:
    """That of the settings tells every webhook."""
    told = settings.model_copy(update={"alert_webhooks": f"ops={receiver.url}", "alert_interval_s": 0.05})
    async with running_api(told) as first, running_api(told) as second:
        await first.becomes("healthy")
        await second.becomes("healthy")
        await store_posts(pool, 20, "negative")
        alert = await raised_alert(first, 0)

        async def delivered() -> list[dict[str, Any]]:
            found = (await second.get(f"/api/alerts/{alert['id']}"))["deliveries"]
            return found if found and found[0]["state"] == "delivered" else []

        (delivery,) = await eventually(delivered, "the message is delivered")
        await written(first, "POST", "alert-rules", BODY | {"webhooks": ["ops"], "name": "second"}, 201)
        await eventually(lambda: has(receiver, 2), "the second alert")
    assert (delivery["webhook"], delivery["change"], delivery["attempts"], delivery["last_error"]) == (
        "ops",
        "raised",
        1,
        None,
    )
    assert receiver.events == ["alert.raised"] * 2


async def has(receiver: Receiver, messages: int) -> bool:
    return len(receiver.received) >= messages


async def test_a_process_that_is_killed_as_it_delivers_is_followed_by_another(
    settings: Settings, receiver: Receiver, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    """The message comes again, with the same name, so that the receiver can tell."""
    receiver.will(HANG)
    told = settings.model_copy(
        update={"alert_webhooks": f"ops={receiver.url}", "log_level": "DEBUG", "api_port": free_port()}
    )
    await put(pool)
    async with service("api", told, tmp_path) as first:
        await eventually(lambda: has(receiver, 1), "the message is being sent")
        first.process.send_signal(signal.SIGKILL)
        await first.process.wait()
    (row,) = await rows(pool)
    assert row["delivered_at"] is None
    async with service("api", told, tmp_path) as second:
        await pass_time(pool, deliveries.LEASE)

        async def is_delivered() -> bool:
            return bool((await rows(pool))[0]["delivered_at"])

        await eventually(is_delivered, "the message is delivered")
        assert await second.stop() == 0
    assert len({request.delivery for request in receiver.received}) == 1
    assert len(receiver.received) == 2
    for output in (first.output, second.output):
        assert "s3cret" not in output  # also not at the level DEBUG


async def test_nobody_waits_for_a_receiver_that_hangs(
    settings: Settings, receiver: Receiver, pool: asyncpg.Pool
) -> None:
    """While it hangs other rules raise their alerts, and other receivers hear of them."""
    async with receiving() as hung:
        hung.will(*[HANG] * 50)
        urls = f"hung={hung.url},ops={receiver.url}"
        told = settings.model_copy(update={"alert_webhooks": urls, "alert_interval_s": 0.05})
        async with running_api(told) as api:
            await api.becomes("healthy")
            await put_for_hung(pool)

            async def it_hangs() -> bool:
                return hung.hanging > 0

            await eventually(it_hangs, "the receiver hangs")
            await store_posts(pool, 20, "negative")
            rule = await written(api, "POST", "alert-rules", BODY | {"webhooks": ["ops", "hung"]}, 201)
            alert = await raised_alert(api, rule["id"])

            async def states() -> dict[str, str]:
                found = (await api.get(f"/api/alerts/{alert['id']}"))["deliveries"]
                by_name = {delivery["webhook"]: delivery["state"] for delivery in found}
                return by_name if by_name.get("ops") == "delivered" else {}

            assert await eventually(states, "the other hears of it") == {"ops": "delivered", "hung": "waiting"}
            assert hung.hanging > 0
            assert len(hung.received) == 1  # still the first one
            assert (await api.health())["problems"] == []


async def put_for_hung(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as held, held.transaction():
        await deliveries.enqueue(held, 0, ["hung"], "raised", '{"event": "alert.raised"}')


async def test_a_redirect_is_not_followed(
    pool: asyncpg.Pool, receiver: Receiver, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_delivery, "FIRST_WAIT_S", 100.0)
    async with receiving() as other:
        receiver.will((307, {"Location": other.url}))
        await put(pool)
        await courier.run_once()
        assert other.received == []
    (row,) = await rows(pool)
    assert row["last_error"] == "the receiver answered 307; redirects are not followed"


async def test_a_webhook_is_tested_at_once_and_its_url_is_shown_nowhere(
    settings: Settings, receiver: Receiver, pool: asyncpg.Pool
) -> None:
    told = settings.model_copy(update={"alert_webhooks": f"ops={receiver.url},gone=http://127.0.0.1:1/s3cret"})
    async with running_api(told) as api:
        await api.becomes("healthy")
        answers = [
            await written(api, "POST", "webhooks/ops/test", {}),
            await failing_test(api, receiver),
            await written(api, "POST", "webhooks/gone/test", {}),
            await api.get("/api/alert-rules"),
        ]
        metrics = (await api.http.get("/metrics")).text
    assert [answer.get("delivered") for answer in answers] == [True, False, False, None]
    assert [answer.get("detail") for answer in answers[:3]] == [
        "The receiver answered 200.",
        "The receiver answered 500.",
        "No connection.",
    ]
    assert receiver.events == ["test", "test"]
    assert answers[3]["webhooks"] == ["ops", "gone"]
    assert answers[3]["rules"][0]["webhooks"] == ["ops", "gone"]
    assert "s3cret" not in str(answers)
    assert "s3cret" not in metrics
    assert 'undertone_webhook_waiting{webhook="ops"} 0.0' in metrics
    assert await rows(pool) == []


async def failing_test(api: Api, receiver: Receiver) -> dict[str, Any]:
    receiver.will(500)
    return await written(api, "POST", "webhooks/ops/test", {})


async def test_a_rule_that_is_deleted_ends_its_alert_for_the_webhooks_too(
    settings: Settings, receiver: Receiver, pool: asyncpg.Pool
) -> None:
    told = settings.model_copy(update={"alert_webhooks": f"ops={receiver.url}", "alert_interval_s": 0.05})
    async with running_api(told) as api:
        await api.becomes("healthy")
        await store_posts(pool, 20, "negative", age=timedelta(minutes=4, seconds=30))
        rule = await written(api, "POST", "alert-rules", BODY | {"webhooks": ["ops"], "window_minutes": 10}, 201)
        await raised_alert(api, rule["id"])
        await eventually(lambda: has(receiver, 1), "it is told that the alert is raised")
        await written(api, "DELETE", f"alert-rules/{rule['id']}")

        async def ends() -> bool:
            return "alert.resolved" in receiver.events

        await eventually(ends, "and that it is over")
    of_rule = [r for r in receiver.received if r.body["alert"]["rule_id"] == rule["id"]]
    assert [r.body["event"] for r in of_rule] == ["alert.raised", "alert.resolved"]
    assert "rule was deleted" in of_rule[1].body["sentence"]
