"""Signing in, the cookie, signing out."""

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie

import httpx
import pytest

from services.api.access.callers import COOKIE, WRONG_KEYS_PER_MINUTE
from services.api.metrics import ApiMetrics
from services.common.api_keys import new_key
from tests.unit.api.access.keys import TEXTS, bearer, guarded_app
from tests.unit.api.asgi import client_of

NOBODY: dict[str, object] = {"required": True, "name": None, "scopes": []}
HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(guarded_app(ApiMetrics(), proxy_hops=1)) as client:
        yield client


def cookie_of(answer: httpx.Response) -> dict[str, object]:
    """Its attributes, and its text as `value`."""
    (morsel,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert morsel.key == COOKIE
    return {name: value for name, value in morsel.items() if value} | {"value": morsel.value}


async def test_a_key_is_shown_once_and_the_cookie_opens_what_it_may(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/session")).json() == NOBODY
    answer = await client.post("/api/session", json={"key": f" {TEXTS['read']}\n"})
    assert answer.json() == {"required": True, "name": "read", "scopes": ["read"]}
    assert TEXTS["read"] not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    cookie = cookie_of(answer)
    assert cookie == {
        "value": TEXTS["read"],
        "httponly": True,
        "samesite": "strict",
        "path": "/",
        "max-age": str(30 * 86_400),
    }
    # The client keeps it, as a browser does.
    assert (await client.get("/api/openapi.json")).status_code == 200
    known = await client.get("/api/session")
    assert known.json()["name"] == "read"
    assert (known.headers["cache-control"], known.headers.get("etag")) == ("no-store", None)
    assert (await client.delete("/api/session")).status_code == 204
    assert (await client.get("/api/openapi.json")).status_code == 401
    assert (await client.get("/api/session")).json() == NOBODY


async def test_over_https_the_cookie_never_goes_over_http(client: httpx.AsyncClient) -> None:
    signed_in = await client.post("/api/session", json={"key": TEXTS["read"]}, headers=HTTPS)
    assert cookie_of(signed_in)["secure"] is True
    assert cookie_of(await client.delete("/api/session", headers=HTTPS))["secure"] is True


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"key": new_key()}, 401),
        ({"key": "hunter2"}, 401),
        ({"key": TEXTS["ingest"]}, 403),
        ({"key": ""}, 422),
        ({"key": "x" * 201}, 422),
        ({"key": 1}, 422),
        ({}, 422),
    ],
)
async def test_another_key_opens_nothing(client: httpx.AsyncClient, body: dict[str, object], status: int) -> None:
    answer = await client.post("/api/session", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "set-cookie" not in answer.headers
    told = answer.json()
    del told["request_id"]  # hexadecimal digits by chance: a short key may be among them
    assert str(body.get("key") or "ut_") not in str(told)


async def test_tries_are_limited_by_address(client: httpx.AsyncClient) -> None:
    there, elsewhere = {"X-Forwarded-For": "203.0.113.1"}, {"X-Forwarded-For": "203.0.113.2"}
    for _ in range(WRONG_KEYS_PER_MINUTE):
        assert (await client.post("/api/session", json={"key": "x"}, headers=there)).status_code == 401
    answer = await client.post("/api/session", json={"key": "x"}, headers=there)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert (await client.post("/api/session", json={"key": "x"}, headers=elsewhere)).status_code == 401


async def test_a_cookie_whose_key_is_gone_is_taken_away(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/session", headers={"Cookie": f"{COOKIE}={new_key()}"})
    assert answer.json() == NOBODY
    assert cookie_of(answer)["max-age"] == "0"


async def test_a_program_may_ask_whose_its_key_is(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/session", headers=bearer(TEXTS["admin"]))
    assert answer.json() == {"required": True, "name": "admin", "scopes": ["admin"]}


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_no_page_of_another_site_signs_anybody_in_or_out(client: httpx.AsyncClient, method: str) -> None:
    headers = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    answer = await client.request(method, "/api/session", headers=headers, content=b"{}")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_where_no_keys_are_asked_for_everybody_may_do_everything() -> None:
    everybody = {"required": False, "name": None, "scopes": ["read", "ingest", "admin"]}
    async with client_of(guarded_app(ApiMetrics(), keys=())) as client:
        assert (await client.get("/api/session")).json() == everybody
        answer = await client.post("/api/session", json={"key": new_key()})
        assert answer.json() == everybody
        assert "set-cookie" not in answer.headers
