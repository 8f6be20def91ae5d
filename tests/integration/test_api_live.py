"""`/ws/sentiment` on a real Redis: what browsers receive, and what none of them can do to the others."""

import asyncio
import json
import socket
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
import redis.asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from services.api.feed import counts
from services.api.feed import route as live
from services.common.messages import AlertMessage, ResultsMessage, encode_message
from services.common.settings import Settings
from services.common.streams import RESULTS_CHANNEL, open_redis
from tests.integration.test_api_server import Api, close_code, relayed, running_api
from tests.rows import count_again, insert
from tests.unit.api.analysed import analysed_posts
from tests.waiting import eventually


async def receive(browser: ClientConnection, kind: str) -> dict[str, Any]:
    """The next frame of a kind."""
    async with asyncio.timeout(20):
        while True:
            frame: dict[str, Any] = json.loads(await browser.recv())
            if frame["type"] == kind:
                return frame


async def metric(api: Api, name: str) -> float:
    for line in (await api.http.get("/metrics")).text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


async def publish(client: redis.asyncio.Redis, message: ResultsMessage | AlertMessage) -> None:
    """Publishes when the API listens."""

    async def delivered() -> bool:
        return bool(await client.publish(RESULTS_CHANNEL, encode_message(message)))

    await eventually(delivered, "a subscriber")


async def test_a_browser_is_greeted_counted_for_and_sees_posts_and_alerts(
    settings: Settings, redis_url: str, database_url: str
) -> None:
    database = await asyncpg.connect(database_url)
    await insert(database, "p", label="negative")
    await database.close()
    async with running_api(settings) as api, connect(api.live_url) as browser, open_redis(redis_url) as client:
        greeting = json.loads(await browser.recv())
        assert greeting.pop("timestamp")
        assert greeting == {"type": "connected", "message": "Connected to sentiment stream"}
        counted = json.loads(await browser.recv())
        one = {"positive": 0, "negative": 1, "neutral": 0, "total": 1}
        assert counted["data"] == {"last_minute": one, "last_hour": one, "last_24_hours": one}
        await publish(client, ResultsMessage(posts=analysed_posts(2)))
        assert (await receive(browser, "new_post"))["data"]["post_id"] == "p0"
        assert (await receive(browser, "new_post"))["data"]["post_id"] == "p1"
        await publish(client, AlertMessage(change="raised", alert={"id": 1}))
        assert (await receive(browser, "alert"))["data"] == {"id": 1}


async def test_counts_are_renewed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.state.INTERVAL_S", 0.05)
    monkeypatch.setattr(counts, "INTERVAL_S", 0.05)
    async with running_api(settings) as api, connect(api.live_url) as browser:
        times: set[str] = set()
        while len(times) < 3:
            times.add((await receive(browser, "metrics_update"))["timestamp"])


async def test_a_flood_is_sampled_for_the_eyes_while_the_counts_are_of_all_that_is_stored(
    settings: Settings, redis_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.state.INTERVAL_S", 0.05)
    monkeypatch.setattr(counts, "INTERVAL_S", 0.05)
    posts = analysed_posts(200)
    database = await asyncpg.connect(database_url)
    for analysed in posts:
        await insert(database, analysed.post.post_id, label="negative", counted=False)
    await count_again(database)
    await database.close()
    limited = settings.model_copy(update={"feed_posts_per_s": 10})
    async with running_api(limited) as api, connect(api.live_url) as browser, open_redis(redis_url) as client:
        await publish(client, ResultsMessage(posts=posts))
        seen: list[dict[str, Any]] = []
        while not any(frame["type"] == "feed" for frame in seen):
            seen.append(json.loads(await browser.recv()))
        seen.append(await receive(browser, "metrics_update"))
        shown = sum(frame["type"] == "new_post" for frame in seen)
        report = next(frame["data"] for frame in seen if frame["type"] == "feed")
        assert (report["sampled"], report["posts"], report["shown"]) == (True, len(posts), shown)
        assert 0 < shown < len(posts)
        counted = [frame["data"]["last_24_hours"]["total"] for frame in seen if frame["type"] == "metrics_update"]
        assert set(counted) == {len(posts)}
        end = await receive(browser, "feed")
        assert end["data"]["sampled"] is False


async def test_bad_messages_are_skipped(settings: Settings, redis_url: str) -> None:
    async with running_api(settings) as api, connect(api.live_url) as browser, open_redis(redis_url) as client:
        await receive(browser, "connected")
        await publish(client, ResultsMessage(posts=()))
        for bad in (b"", b"\xff", b"{}", b'{"type":"results"}', b'{"type":"results","posts":[1]}'):
            await client.publish(RESULTS_CHANNEL, bad)
        await publish(client, ResultsMessage(posts=analysed_posts(1)))
        assert await receive(browser, "new_post")
        assert await metric(api, "undertone_channel_bad_messages_total") == 5


async def test_browsers_survive_a_redis_that_comes_and_goes(
    settings: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.api.state.PROBE_INTERVAL_S", 0.1)
    async with relayed(redis_url) as relay, open_redis(redis_url) as client:
        await relay.open()
        async with (
            running_api(settings.model_copy(update={"redis_url": relay.url})) as api,
            connect(api.live_url) as browser,
        ):
            await api.becomes("healthy")
            for number in range(2):
                await relay.cut()
                await api.becomes("degraded")
                assert (await api.health())["services"]["redis"] == "disconnected"
                await relay.open()
                await publish(client, AlertMessage(change="raised", alert={"id": number}))
                assert (await receive(browser, "alert"))["data"] == {"id": number}
                await api.becomes("healthy")


async def test_without_a_database_browsers_still_see_posts(settings: Settings, redis_url: str) -> None:
    away = settings.model_copy(update={"database_url": "postgresql://u:p@127.0.0.1:1/x_test"})
    async with running_api(away) as api, connect(api.live_url) as browser, open_redis(redis_url) as client:
        await receive(browser, "connected")
        await publish(client, ResultsMessage(posts=analysed_posts(1)))
        assert await receive(browser, "new_post")


async def test_a_browser_that_does_not_read_stalls_nobody_and_is_sent_away(
    settings: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SEND_TIMEOUT_S", 1.0)
    small = settings.model_copy(update={"websocket_queue_size": 50, "feed_posts_per_s": 0})
    content = "x" * 39_000 + " {}"
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        async with running_api(small) as api, open_redis(redis_url) as client:
            host, port = api.host.split(":")
            narrow.connect((host, int(port)))
            async with (
                connect(api.live_url, sock=narrow, max_queue=1, ping_interval=None) as slow,
                connect(api.live_url) as fast,
            ):
                await receive(fast, "connected")
                for _ in range(20):
                    await publish(client, ResultsMessage(posts=analysed_posts(25, content=content)))
                    for number in range(25):
                        assert (await receive(fast, "new_post"))["data"]["post_id"] == f"p{number}"

                async def gone() -> bool:
                    return await metric(api, "undertone_websocket_clients") == 1

                await eventually(gone, "the end of the slow one")
                assert await metric(api, "undertone_websocket_frames_dropped_total") > 0
                assert await close_code(slow) == 1013
                await publish(client, AlertMessage(change="raised", alert={}))
                assert await receive(fast, "alert")


async def test_beyond_the_limit_browsers_are_asked_to_come_later(settings: Settings) -> None:
    async with running_api(settings.model_copy(update={"max_websocket_clients": 1})) as api:
        async with connect(api.live_url) as first:
            await receive(first, "connected")
            async with connect(api.live_url) as second:
                assert await close_code(second) == 1013

        async def admitted() -> bool:
            async with connect(api.live_url) as third:
                with suppress(ConnectionClosed):
                    return bool(await third.recv())
            return False

        await eventually(admitted, "a place")


async def test_pages_of_other_hosts_are_refused(settings: Settings) -> None:
    async with running_api(settings) as api:
        with pytest.raises(InvalidStatus) as refused:
            await connect(api.live_url, origin=Origin("http://evil.example"))
        assert refused.value.response.status_code == 403
        async with connect(api.live_url, origin=Origin(f"http://{api.host}")) as browser:
            await receive(browser, "connected")


async def test_what_browsers_say_is_bounded_and_ignored_but_for_a_ping(settings: Settings) -> None:
    async with running_api(settings) as api, connect(api.live_url) as browser:
        for nonsense in ("", "{", "[]", '{"type": 7}', '{"type":"pong"}', '{"type":"subscribe"}', b"\xff"):
            await browser.send(nonsense)
        await browser.send('{"type":"ping"}')
        assert await receive(browser, "pong")
        await browser.send("x" * 5_000)
        assert await close_code(browser) == 1009


async def test_a_quiet_line_is_pinged(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "IDLE_PING_S", 0.05)
    async with running_api(settings) as api, connect(api.live_url) as browser:
        assert await receive(browser, "ping") == {"type": "ping"}


async def test_health_and_metrics_follow_inference(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.api.state.PROBE_INTERVAL_S", 0.05)
    async with running_api(settings) as api:
        await api.becomes("healthy")
        api.inference.works = False
        await api.becomes("degraded")
        assert (await api.http.get("/api/health")).status_code == 200
        assert (await api.health())["problems"] == ["triton does not answer"]
        api.inference.works = True
        await api.becomes("healthy")
        text = (await api.http.get("/metrics")).text
        assert 'undertone_http_requests_total{method="GET",route="/api/health",status="200"}' in text
        assert "undertone_stream_lag 0.0" in text
        assert "undertone_dead_letters 0.0" in text
