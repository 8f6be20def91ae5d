"""Pages of other origins: refused, unless CORS_ORIGINS has them; then they may do what our own may."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.api.app import create_app
from services.api.metrics import ApiMetrics
from tests.unit.api.asgi import client_of

FRIEND = "https://friend.example"
EVIL = "https://evil.example"
ASKING = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}


@pytest.fixture
async def open_to_friends(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_app(tmp_path, ApiMetrics(), other_origins=frozenset({FRIEND}))) as client:
        yield client


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(create_app(tmp_path, ApiMetrics())) as client:
        yield client


def varies_by(answer: httpx.Response) -> set[str]:
    return {name.strip().lower() for name in answer.headers.get("vary", "").split(",")}


@pytest.mark.parametrize("path", ["/api/openapi.json", "/api/nothing", "/api/posts"])
async def test_a_friend_may_read_answers_and_errors_with_the_headers_that_matter(
    open_to_friends: httpx.AsyncClient, path: str
) -> None:
    answer = await open_to_friends.get(path, headers={"Origin": FRIEND})
    assert answer.headers["access-control-allow-origin"] == FRIEND
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {"X-Request-ID", "Retry-After", "X-Undertone-Stale", "ETag"} <= exposed
    assert "access-control-allow-credentials" not in answer.headers
    assert "origin" in varies_by(answer)


@pytest.mark.parametrize("origin", [EVIL, "null", f"{FRIEND}.evil.example", "http://friend.example", f"{FRIEND}:8443"])
async def test_nobody_else_may(open_to_friends: httpx.AsyncClient, origin: str) -> None:
    answer = await open_to_friends.get("/api/openapi.json", headers={"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers
    # A cache between must not give a friend's answer to somebody else, nor the other way round.
    assert "origin" in varies_by(answer)
    asked = await open_to_friends.options("/api/dead-letters/drop", headers={"Origin": origin, **ASKING})
    assert asked.status_code == 400
    assert asked.headers["content-type"] == "application/problem+json"
    assert "access-control-allow-origin" not in asked.headers
    changed = await open_to_friends.post("/api/dead-letters/drop", headers={"Origin": origin})
    assert changed.status_code == 403


async def test_a_friend_may_ask_and_change(open_to_friends: httpx.AsyncClient) -> None:
    for method in ("POST", "PUT", "DELETE"):
        asking = ASKING | {"Access-Control-Request-Method": method}
        asked = await open_to_friends.options("/api/dead-letters/drop", headers={"Origin": FRIEND, **asking})
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == FRIEND
        assert method in asked.headers["access-control-allow-methods"]
        assert "content-type" in asked.headers["access-control-allow-headers"].lower()
        assert {"origin", "access-control-request-method"} <= varies_by(asked)
        assert asked.headers["x-content-type-options"] == "nosniff"
    changed = await open_to_friends.post("/api/dead-letters/drop", headers={"Origin": FRIEND})
    assert changed.status_code != 403


async def test_without_friends_nothing_of_it_is_there(closed: httpx.AsyncClient) -> None:
    answer = await closed.get("/api/openapi.json", headers={"Origin": FRIEND})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "origin" not in varies_by(answer)
    asked = await closed.options("/api/dead-letters/drop", headers={"Origin": FRIEND, **ASKING})
    assert asked.status_code == 405


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/api/dead-letters/drop", "/api/alerts/1/acknowledge", "/"])
async def test_no_page_of_another_site_changes_anything_whatever_the_route(
    closed: httpx.AsyncClient, method: str, path: str
) -> None:
    """Not even without a body, for which a browser does not ask first."""
    answer = await closed.request(method, path, headers={"Origin": EVIL})
    assert answer.status_code == 403
    for own in ({"Origin": "http://test"}, {}):
        assert (await closed.request(method, path, headers=own)).status_code != 403
