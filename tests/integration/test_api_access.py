"""Keys on a real server: live connections, limits of one client, the log, the start."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from services.api.access.callers import COOKIE
from services.common.api_keys import ApiKey, make_key, new_key
from services.common.settings import Settings
from tests.integration.test_api_server import Api, running_api
from tests.ports import free_port
from tests.processes import service
from tests.waiting import eventually

READ, INGEST, UNKNOWN = new_key(), new_key(), new_key()
KEYS = (make_key("reader", ["read"], READ), make_key("feeder", ["ingest"], INGEST))


def with_keys(settings: Settings, *keys: ApiKey, **others: object) -> Settings:
    return settings.model_copy(update={"api_keys": ",".join(key.entry for key in keys)} | others)


async def refusal(api: Api, headers: Mapping[str, str]) -> int:
    """The status with which a live connection is refused, which never opened."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(api.live_url, additional_headers=headers):
            pass
    response = refused.value.response
    assert json.loads(response.body or b"")["status"] == response.status_code
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-request-id"]
    return response.status_code


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": f"Bearer {READ}"}, {"X-API-Key": READ}, {"Cookie": f"{COOKIE}={READ}"}],
)
async def test_a_live_connection_opens_with_a_key_that_may_read(settings: Settings, headers: dict[str, str]) -> None:
    async with (
        running_api(with_keys(settings, *KEYS)) as api,
        connect(api.live_url, additional_headers=headers) as browser,
    ):
        assert json.loads(await browser.recv())["type"] == "connected"


async def test_without_one_it_is_refused_before_it_opens(settings: Settings) -> None:
    async with running_api(with_keys(settings, *KEYS)) as api:
        assert await refusal(api, {}) == 401
        assert await refusal(api, {"Authorization": f"Bearer {new_key()}"}) == 401
        assert await refusal(api, {"Authorization": f"Bearer {INGEST}"}) == 403
        # In the address it would be in the logs of every proxy.
        api.live_url += f"?key={READ}"
        assert await refusal(api, {}) == 401
        metrics = (await api.http.get("/metrics")).text
    assert 'undertone_websocket_refused_total{reason="access"} 4.0' in metrics
    assert 'undertone_access_refused_total{key="feeder",reason="scope"} 1.0' in metrics


async def test_one_client_has_so_many_live_connections_and_a_place_that_is_left_is_free_again(
    settings: Settings,
) -> None:
    limited = with_keys(settings, *KEYS, api_websockets_per_client=2)
    headers = {"Authorization": f"Bearer {READ}"}
    async with running_api(limited) as api, connect(api.live_url, additional_headers=headers):
        async with connect(api.live_url, additional_headers=headers):
            assert await refusal(api, headers) == 429
            # Whoever looks at the dashboard has places of their own.
            async with connect(api.live_url, additional_headers={"Cookie": f"{COOKIE}={READ}"}):
                pass

        async def is_free() -> bool:
            try:
                async with connect(api.live_url, additional_headers=headers):
                    return True
            except InvalidStatus:
                return False

        await eventually(is_free, "the place of the connection that has ended")


async def test_two_keys_are_valid_at_once_and_one_that_is_taken_out_is_none_any_more(settings: Settings) -> None:
    text = new_key()
    renewed = make_key("reader-2", ["read"], text)
    statuses = []
    for keys in ((KEYS[0],), (KEYS[0], renewed), (renewed,)):
        async with running_api(with_keys(settings, *keys)) as api:
            answers = [
                await api.http.get("/api/posts", headers={"Authorization": f"Bearer {key}"}) for key in (READ, text)
            ]
        statuses.append([answer.status_code for answer in answers])
    assert statuses == [[200, 401], [200, 200], [401, 200]]


async def test_health_and_metrics_need_no_key_and_the_page_can_be_loaded(settings: Settings) -> None:
    async with running_api(with_keys(settings, *KEYS)) as api:
        for path in ("/api/health", "/metrics", "/", "/explore?search=x"):
            assert (await api.http.get(path)).status_code in (200, 503), path


@pytest.mark.parametrize(
    ("host", "keys", "warns"),
    [("0.0.0.0", (), True), ("0.0.0.0", KEYS, False), ("127.0.0.1", (), False), ("localhost", (), False)],
)
async def test_an_api_that_others_reach_warns_without_keys(
    settings: Settings, host: str, keys: tuple[ApiKey, ...], warns: bool
) -> None:
    with capture_logs() as lines:
        # It says where it listens by its settings; here that is loopback always.
        async with running_api(with_keys(settings, *keys, api_host=host)) as api:
            await api.http.get("/api/session")
    assert [line["log_level"] for line in lines if line["event"] == "api_without_keys"] == ["warning"] * warns


async def test_no_key_is_in_the_log_of_the_process(settings: Settings, tmp_path: Path) -> None:
    port = free_port()
    chatty = with_keys(settings, *KEYS, api_port=port, log_level="DEBUG")
    async with (
        service("api", chatty, tmp_path) as process,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http,
    ):

        async def answers() -> bool:
            with suppress(httpx.TransportError):
                return (await http.get("/api/session")).status_code == 200
            return False

        await eventually(answers, "an answer")
        await http.get("/api/sources", headers={"Authorization": f"Bearer {READ}"})
        await http.post("/api/session", json={"key": READ})
        await http.post("/api/session", json={"key": UNKNOWN})
        async with connect(f"ws://127.0.0.1:{port}/ws/sentiment", additional_headers={"X-API-Key": READ}):
            pass
    assert "key=reader" in process.output
    for secret in (READ, UNKNOWN, KEYS[0].digest.hex()):
        assert secret not in process.output


async def test_keys_that_are_none_end_the_start_with_a_sentence(settings: Settings, tmp_path: Path) -> None:
    wrong = settings.model_copy(update={"api_keys": f"reader=read:{READ}", "api_port": free_port()})
    async with service("api", wrong, tmp_path) as process:
        async with asyncio.timeout(30):
            assert await process.process.wait() == 2
    assert "API_KEYS: entry 1: has the key of reader itself" in process.output
    assert READ not in process.output
