"""What surrounds every request, on the real server: metrics by route, ids in the log, limits of connections."""

import asyncio
import json
import re
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin

from services.api import server
from services.api.openapi import document
from services.common.settings import Settings
from tests.integration.test_api_live import receive
from tests.integration.test_api_server import Api, close_code, running_api
from tests.ports import free_port
from tests.processes import service
from tests.waiting import eventually

FRIEND = "https://friend.example"


async def samples(api: Api, name: str) -> dict[str, float]:
    """Of one metric: its values by their labels, as they are written."""
    text = (await api.http.get("/metrics")).text
    return {labels: float(value) for labels, value in re.findall(rf"^{name}({{.*}})? (\S+)$", text, re.MULTILINE)}


async def routes(api: Api) -> set[str]:
    text = " ".join(await samples(api, "undertone_http_requests_total"))
    return set(re.findall(r'route="([^"]*)"', text))


def as_documented(labels: str) -> str:
    """OpenAPI does not tell which parameters of a path may have slashes."""
    return labels.replace(":path}", "}")


async def test_every_route_is_counted_under_its_own_template(api: Api) -> None:
    paths = json.loads(document())["paths"]
    for template, operations in paths.items():
        path = re.sub(r"\{.*?\}", "1", template)
        for method in operations:
            await api.http.request(method, path, json={} if method in ("post", "put") else None)
    for path in ("/metrics", "/api/openapi.json", "/", "/api/nothing"):
        await api.http.get(path)
    counted = [as_documented(labels) for labels in await samples(api, "undertone_http_requests_total")]
    for template, operations in paths.items():
        for method in operations:
            assert any(f'method="{method.upper()}",route="{template}"' in labels for labels in counted), template
    assert {"/metrics", "/api/openapi.json", "dashboard", "/api/{path:path}"} <= await routes(api)
    sizes = await samples(api, "undertone_http_response_bytes_count")
    assert set(paths) <= set(re.findall(r'route="([^"]*)"', as_documented(" ".join(sizes))))
    assert await samples(api, "undertone_http_requests_in_flight") == {"": 1}  # the one that asks


async def test_paths_that_are_made_up_make_no_labels(api: Api) -> None:
    async def wander(number: int) -> None:
        for path in (f"/api/x{number}", f"/x{number}", f"/x{number}.js", f"/api/alerts/{number}", f"/models/{number}"):
            await api.http.request(("GET", "POST", f"BREW{number}")[number % 3], path)

    for number in range(3):
        await wander(number)
    before = await samples(api, "undertone_http_requests_total")
    for number in range(3, 30):
        await wander(number)
    after = await samples(api, "undertone_http_requests_total")
    assert set(after) - set(before) <= {label for label in after if 'route="/metrics"' in label}
    assert sum(after.values()) >= sum(before.values()) + 27 * 5


async def test_a_live_connection_is_counted_from_its_beginning_to_its_end(api: Api) -> None:
    async with connect(api.live_url) as browser:
        await receive(browser, "connected")
        await browser.send('{"type":"ping"}')
        await receive(browser, "pong")
        assert await samples(api, "undertone_websocket_opened_total") == {"": 1}
        assert await samples(api, "undertone_websocket_closed_total") == {}

    async def ended() -> bool:
        return await samples(api, "undertone_websocket_closed_total") == {'{code="1000"}': 1}

    await eventually(ended, "the end of the connection")
    frames = await samples(api, "undertone_websocket_frames_sent_total")
    assert frames['{type="connected"}'] == frames['{type="pong"}'] == 1
    assert (await samples(api, "undertone_websocket_sent_bytes_total"))[""] > 80
    sent = await samples(api, "undertone_websocket_send_duration_seconds_count")
    assert sent[""] == sum(frames.values())
    assert await samples(api, "undertone_websocket_duration_seconds_count") == {"": 1}
    async with connect(api.live_url) as browser:
        await receive(browser, "connected")
        await browser.send("x" * 5_000)
        assert await close_code(browser) == 1009

    async def sent_away() -> bool:
        return (await samples(api, "undertone_websocket_closed_total")).get('{code="1009"}') == 1

    await eventually(sent_away, "its end, under our code")


async def test_pages_of_friends_may_open_the_live_feed_too(settings: Settings) -> None:
    async with (
        running_api(settings.model_copy(update={"cors_origins": FRIEND})) as api,
        connect(api.live_url, origin=Origin(FRIEND), additional_headers={"X-Request-ID": "feed-1"}) as browser,
    ):
        assert browser.response is not None
        assert browser.response.headers["X-Request-ID"] == "feed-1"
        await receive(browser, "connected")
        answer = await api.http.get("/api/health", headers={"Origin": FRIEND})
        assert answer.headers["access-control-allow-origin"] == FRIEND


async def test_the_log_tells_each_request_by_its_id(settings: Settings, tmp_path: Path) -> None:
    port = free_port()
    own = {"api_port": port, "log_format": "json", "log_level": "DEBUG"}
    async with service("api", settings.model_copy(update=own), tmp_path) as process:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=20) as http:

            async def answers() -> bool:
                with suppress(httpx.TransportError):
                    return (await http.get("/api/health")).status_code == 200
                return False

            await eventually(answers, "an answer", 120)
            await http.get("/api/posts", params={"search": "hunter2"}, headers={"X-Request-ID": "look-1"})
            await http.post("/api/dead-letters/drop", json={}, headers={"X-Request-ID": "drop-1"})
            async with connect(f"ws://127.0.0.1:{port}/ws/sentiment", additional_headers={"X-Request-ID": "live-1"}):
                pass

        def lines(request_id: str) -> list[dict[str, object]]:
            found = [json.loads(line) for line in process.output.splitlines() if line.startswith("{")]
            return [line for line in found if line.get("request_id") == request_id]

        async def told() -> bool:
            return all(lines(name) for name in ("look-1", "drop-1", "live-1"))

        await eventually(told, "the lines")
    (look,), (drop,), (live,) = lines("look-1"), lines("drop-1"), lines("live-1")
    assert (look["event"], look["level"], look["route"], look["status"]) == ("request", "debug", "/api/posts", 200)
    assert (drop["level"], drop["method"], drop["status"]) == ("info", "POST", 422)
    assert (live["event"], live["code"]) == ("live_closed", 1000)
    assert "hunter2" not in process.output


async def test_beyond_the_limit_of_connections_a_problem_says_when_to_come_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_HTTP_CONNECTIONS", 2)
    async with running_api(settings.model_copy(update={"max_websocket_clients": 1})) as api:
        host, port = api.host.split(":")
        held = [await asyncio.open_connection(host, int(port)) for _ in range(3)]

        async def refused() -> bool:
            async with httpx.AsyncClient(base_url=f"http://{api.host}") as http:
                answer = await http.get("/api/health")
            if answer.status_code == 200:
                return False
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert int(answer.headers["retry-after"]) > 0
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
            return True

        await eventually(refused, "a refusal")
        for _, writer in held:
            writer.transport.abort()

        async def admitted() -> bool:
            with suppress(httpx.TransportError):
                return (await api.http.get("/api/health")).status_code == 200
            return False

        await eventually(admitted, "a place")


async def test_what_is_no_request_is_a_problem_too(api: Api) -> None:
    host, port = api.host.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(20):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    headers = head.decode().lower()
    assert "content-type: application/problem+json" in headers
    problem = json.loads(body)
    assert (problem["type"], problem["status"]) == ("about:blank", 400)
    assert f"x-request-id: {problem['request_id']}" in headers
