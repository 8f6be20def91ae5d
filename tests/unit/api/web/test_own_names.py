"""Where no key is asked for, a name that somebody else can have made lead here opens nothing."""

from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from services.api.access.callers import Callers
from services.api.app import create_app
from services.api.metrics import ApiMetrics
from services.api.web.own_names import OwnNames, is_own_name
from services.common.api_keys import make_key, new_key
from tests.unit.api.asgi import client_of

REBOUND = {"Host": "evil.example:8000", "Origin": "http://evil.example:8000"}


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost:8000", True),
        ("LocalHost", True),
        ("undertone.localhost:8000", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("192.0.2.7", True),
        ("api:8000", True),
        ("", True),
        ("Dashboard.example:8443", True),
        ("evil.example:8000", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("localhost@evil.example", False),
        ("evil.example.", False),
        ("[::1", False),
        ("evil-dashboard.example", False),
        ("x.dashboard.example", False),
    ],
)
def test_only_addresses_and_names_that_nobody_else_can_have_are_ours(host: str, own: bool) -> None:
    assert is_own_name(host, {"https://dashboard.example"}) is own


@pytest.mark.parametrize("path", ["/", "/api/posts", "/api/health", "/metrics", "/predict"])
async def test_where_no_key_is_asked_for_another_name_opens_nothing(tmp_path: Path, path: str) -> None:
    async with client_of(create_app(tmp_path, ApiMetrics())) as client:
        refused = await client.get(path, headers=REBOUND)
        assert refused.status_code == 421
        assert "CORS_ORIGINS" in refused.text
        assert refused.headers["x-content-type-options"] == "nosniff"
        assert (await client.get("/api/session", headers={"Host": "localhost:8000"})).status_code == 200


async def test_a_live_connection_is_refused_before_it_opens() -> None:
    async def opened(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("opened")

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    extensions: dict[str, object] = {"websocket.http.response": {}}
    scope = {"type": "websocket", "path": "/ws/sentiment", "headers": [(b"host", b"evil.example")]}
    await OwnNames(opened, frozenset())({**scope, "extensions": extensions}, receive, send)
    assert (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", 421)


async def test_with_keys_any_name_does_and_the_key_decides(tmp_path: Path) -> None:
    """A browser keeps the cookie for the name that it was set by, so such a page has none."""
    callers = Callers([make_key("mine", ["read"], new_key())])
    async with client_of(create_app(tmp_path, ApiMetrics(), callers=callers)) as client:
        assert (await client.get("/api/posts", headers=REBOUND)).status_code == 401
