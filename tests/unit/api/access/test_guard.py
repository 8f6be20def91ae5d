"""How a key is sent, what is said without one, what is written down of it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from structlog.testing import capture_logs

from services.api.access.callers import COOKIE, WRONG_KEYS_PER_MINUTE
from services.api.metrics import ApiMetrics
from services.common.api_keys import new_key
from tests.unit.api.access.keys import TEXTS, bearer, guarded_app
from tests.unit.api.asgi import client_of

# No route needs a state to answer this.
PATH = "/api/openapi.json"
FRIEND = "https://friend.example"


def refused(metrics: ApiMetrics, reason: str, key: str = "") -> float | None:
    return metrics.registry.get_sample_value("undertone_access_refused_total", {"reason": reason, "key": key})


@pytest.fixture
def metrics() -> ApiMetrics:
    return ApiMetrics()


@pytest.fixture
async def client(metrics: ApiMetrics) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(guarded_app(metrics, other_origins=frozenset({FRIEND}))) as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        bearer(TEXTS["read"]),
        {"Authorization": f"bearer  {TEXTS['read']} "},
        {"X-API-Key": TEXTS["read"]},
        {"Cookie": f"theme=dark; {COOKIE}={TEXTS['read']}"},
        # Another server before this one asks for a password of its own.
        {"Authorization": "Basic dTpw", "Cookie": f"{COOKIE}={TEXTS['read']}"},
    ],
)
async def test_a_key_may_come_as_bearer_in_a_header_of_its_own_or_in_the_cookie(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    assert (await client.get(PATH, headers=headers)).status_code == 200


async def test_without_a_key_the_answer_says_how_to_send_one(client: httpx.AsyncClient, metrics: ApiMetrics) -> None:
    answer = await client.get(PATH)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="Undertone"'
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["type"] == "/problems/no-key"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert refused(metrics, "missing") == 1
    labels = {"method": "GET", "route": "refused", "status": "401"}
    assert metrics.registry.get_sample_value("undertone_http_requests_total", labels) == 1


@pytest.mark.parametrize(
    "headers",
    [
        bearer(new_key()),
        {"X-API-Key": "secret"},
        {"Cookie": f"{COOKIE}={new_key()}"},
        # A wrong one does not count as none.
        bearer(new_key()) | {"Cookie": f"{COOKIE}={TEXTS['read']}"},
    ],
)
async def test_a_wrong_key_is_told_from_none(
    client: httpx.AsyncClient, metrics: ApiMetrics, headers: dict[str, str]
) -> None:
    answer = await client.get(PATH, headers=headers)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert refused(metrics, "unknown") == 1


async def test_a_scope_that_does_not_suffice_is_named(client: httpx.AsyncClient, metrics: ApiMetrics) -> None:
    answer = await client.post("/api/dead-letters/drop", headers=bearer(TEXTS["read"]))
    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/scope"
    assert "admin" in answer.json()["detail"]
    assert 'scope="admin"' in answer.headers["www-authenticate"]
    assert refused(metrics, "scope", "read") == 1


@pytest.mark.parametrize("path", ["/predict", "/models/emotion/predict"])
async def test_clients_of_text_embeddings_inference_hear_it_as_they_expect(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.post(path, json={"inputs": "a"})
    assert answer.status_code == 401
    assert set(answer.json()) == {"error", "error_type"}


async def test_wrong_keys_of_one_address_are_counted_and_a_right_one_is_let_in_all_the_same(
    client: httpx.AsyncClient, metrics: ApiMetrics
) -> None:
    with capture_logs() as lines:
        answers = [await client.get(PATH, headers=bearer(new_key())) for _ in range(WRONG_KEYS_PER_MINUTE + 5)]
    assert [answer.status_code for answer in answers] == [401] * WRONG_KEYS_PER_MINUTE + [429] * 5
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert (await client.get(PATH, headers=bearer(TEXTS["read"]))).status_code == 200
    assert refused(metrics, "unknown_often") == 5
    # What is worth a line in the log is bounded, too.
    told = [line for line in lines if line["event"] == "access_refused" and line["log_level"] == "info"]
    assert len(told) == WRONG_KEYS_PER_MINUTE


async def test_the_log_has_the_names_of_keys_and_no_key(client: httpx.AsyncClient) -> None:
    wrong = new_key()
    with capture_logs() as lines:
        await client.get(PATH, headers=bearer(TEXTS["read"]))
        await client.post("/api/dead-letters/drop", headers={"Cookie": f"{COOKIE}={TEXTS['ingest']}"})
        await client.get(PATH, headers=bearer(wrong))
        answer = await client.post("/api/session", json={"key": wrong})
    assert wrong not in answer.text
    requests = [line for line in lines if line["event"] == "request"]
    assert [line.get("key") for line in requests] == ["read", "ingest", None, None]
    for text in (wrong, TEXTS["read"], TEXTS["ingest"]):
        assert text not in str(lines)


async def test_a_page_of_another_origin_may_send_its_key_and_read_why_it_was_refused(
    client: httpx.AsyncClient,
) -> None:
    asked = await client.options(
        PATH,
        headers={
            "Origin": FRIEND,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        },
    )
    assert asked.status_code == 200  # a browser sends no key with the question
    answer = await client.get(PATH, headers={"Origin": FRIEND})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == FRIEND
    assert "access-control-allow-credentials" not in answer.headers


async def test_where_there_are_no_keys_nobody_is_asked_for_one(metrics: ApiMetrics) -> None:
    async with client_of(guarded_app(metrics, keys=())) as client:
        assert (await client.get(PATH)).status_code == 200
        assert (await client.get(PATH, headers=bearer(new_key()))).status_code == 200
        assert (await client.post("/api/dead-letters/drop", json={})).status_code not in (401, 403)


async def test_each_key_has_so_many_requests_a_minute_and_each_address_without_one(metrics: ApiMetrics) -> None:
    async with client_of(guarded_app(metrics, requests_per_minute=3)) as client:
        for headers, then in ((bearer(TEXTS["read"]), 200), (bearer(TEXTS["admin"]), 200), ({}, 401)):
            answers = [await client.get(PATH, headers=headers) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [then] * 3 + [429]
            assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
            assert answers[-1].json()["type"] == "/problems/rate-limit"
        # What is free stays so.
        assert (await client.get("/api/session")).status_code == 200
        assert (await client.get("/")).status_code == 200
    assert refused(metrics, "rate", "read") == 1
    assert refused(metrics, "rate") == 1


async def test_the_dashboards_of_one_key_have_the_limit_of_their_address(metrics: ApiMetrics) -> None:
    async with client_of(guarded_app(metrics, requests_per_minute=1, proxy_hops=1)) as client:
        cookie = {"Cookie": f"{COOKIE}={TEXTS['read']}"}
        seen = [
            (await client.get(PATH, headers=cookie | {"X-Forwarded-For": address})).status_code
            for address in ("203.0.113.1", "203.0.113.1", "203.0.113.2")
        ]
    assert seen == [200, 429, 200]
