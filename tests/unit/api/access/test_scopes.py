"""Every route needs the scope that it should, by every method; one that nobody thought of is refused."""

import re

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from services.api.access.scopes import ADMIN, ASK, INGEST, NEEDS, PUBLIC, READ, Need, Needs, need_of, routes_of
from services.api.metrics import ApiMetrics
from services.api.web.unknown import METHODS
from services.common.api_keys import SCOPES
from tests.unit.api.access.keys import TEXTS, bearer, guarded_app
from tests.unit.api.asgi import client_of

PUBLIC_TEMPLATES = {"", "/api/health", "/metrics", "/api/session"}
# Computes on texts or counts that are sent, and changes nothing.
READING_POSTS = {"/api/alert-rule-preview"}
ASKING = {"/predict", "/models/{model}/predict", "/api/analyze", "/api/{path:path}"}


def expected(method: str, template: str) -> Need:
    """The rule in words: reading needs read, asking the models read or ingest, publishing and deleting posts ingest,
    the rest admin.
    """
    if template in PUBLIC_TEMPLATES:
        return PUBLIC
    if template in ASKING:
        return ASK
    if (method, template) in {("POST", "/api/posts"), ("DELETE", "/api/posts/{post_id:path}")}:
        return INGEST
    return READ if method in ("GET", "HEAD", "WS") or template in READING_POSTS else ADMIN


def concrete(template: str) -> str:
    return re.sub(r"{[^}]*}", "1", template) or "/alerts"


def every_route(app: FastAPI) -> list[tuple[str, str]]:
    """Method and template of each, in the order of the router."""
    return [
        (method, route.template)
        for route in routes_of(app)
        for method in (["WS"] if route.kinds == {"websocket"} else sorted(route.methods or METHODS))
    ]


def test_the_table_has_every_route_with_the_scope_of_its_kind_and_no_other() -> None:
    routes = every_route(guarded_app(ApiMetrics()))
    assert len(routes) > 50
    for method, template in routes:
        assert need_of(method, template) == expected(method, template), (method, template)
    listed = {f"{method} {template}" for method, template in routes} | {f"* {template}" for _, template in routes}
    assert set(NEEDS) <= listed


async def test_whoever_asks_is_let_in_by_that_table_and_by_nothing_else() -> None:
    app = guarded_app(ApiMetrics())
    routes = [(method, template) for method, template in every_route(app) if method != "WS"]
    async with client_of(app) as client:
        for method, template in routes:
            # The first of two routes for one path and method answers.
            need = expected(method, template)
            assert await status_of(client, method, template, {}) == (None if need == PUBLIC else 401), template
            for scope in SCOPES:
                is_let_in = need == PUBLIC or scope == "admin" or scope in need
                found = await status_of(client, method, template, bearer(TEXTS[scope]))
                assert found == (None if is_let_in else 403), (method, template, scope)


async def status_of(client: httpx.AsyncClient, method: str, template: str, headers: dict[str, str]) -> int | None:
    """401 or 403 if the guard refused; None if the request came to its route."""
    answer = await client.request(method, concrete(template), headers=headers)
    is_refusal = "www-authenticate" in answer.headers
    assert is_refusal == (answer.status_code in (401, 403)), (method, template, answer.text)
    return answer.status_code if is_refusal else None


@pytest.mark.parametrize("key", ["read", "admin", None])
@pytest.mark.parametrize("path", ["/api/new", "/v2/posts", "/api/posts"])
async def test_a_route_that_is_not_in_the_table_is_refused_to_everybody(path: str, key: str | None) -> None:
    metrics = ApiMetrics()
    app = guarded_app(metrics)
    router = APIRouter()
    # A new path, and a known one with a method that nobody has thought of; before the routes that take the rest.
    router.add_api_route(path, lambda: "secret", methods=["PATCH" if path == "/api/posts" else "GET"])
    app.include_router(router)
    app.router.routes.insert(0, app.router.routes.pop())
    headers = bearer(TEXTS[key]) if key else {}  # type: ignore[index] # mypy takes a parameter for any text
    async with client_of(app) as client:
        answer = await client.request("PATCH" if path == "/api/posts" else "GET", path, headers=headers)
    assert answer.status_code == 403
    assert "secret" not in answer.text
    assert metrics.registry.get_sample_value("undertone_access_refused_total", {"reason": "unlisted", "key": ""}) == 1


@pytest.mark.parametrize(
    ("method", "path", "need"),
    [
        ("POST", "/api/dead-letters/replay", ADMIN),
        ("GET", "/api/dead-letters/replay", READ),
        ("POST", "/api/dead-letters/replay/", ASK),
        ("POST", "/api/dead-letters/1-0", ASK),
        ("GET", "/api/posts/export", READ),
        ("POST", "//api/dead-letters/replay", PUBLIC),
        ("POST", "/API/dead-letters/replay", PUBLIC),
        ("POST", "/models/x/predict", ASK),
        ("POST", "/models/x/y/predict", PUBLIC),
    ],
)
def test_the_guard_finds_the_route_that_answers(method: str, path: str, need: Need) -> None:
    """What is public here is the dashboard, which has files and nothing else."""
    needs = Needs(guarded_app(ApiMetrics()))
    assert needs.of({"type": "http", "method": method, "path": path}) == need
