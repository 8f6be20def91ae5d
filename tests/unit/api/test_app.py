"""The dashboard's files, the headers, the errors, the OpenAPI document: what needs no server."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.api.app import create_app
from services.api.metrics import ApiMetrics
from services.api.openapi import document
from services.api.web.middleware import CONTENT_SECURITY_POLICY


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>page</title>")
    (folder / "assets" / "index-abc123.js").write_text("1")
    (tmp_path / "secret.txt").write_text("what nobody may read")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


async def client_of(dist: Path) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(dist, ApiMetrics()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
async def client(dist: Path) -> AsyncIterator[httpx.AsyncClient]:
    async for client in client_of(dist):
        yield client


@pytest.mark.parametrize("path", ["/", "/index.html", "/alerts", "/posts/reddit/1"])
async def test_every_path_of_the_page_is_the_page_and_is_asked_for_each_time(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.text) == (200, "<title>page</title>")
    assert answer.headers["cache-control"] == "no-cache"


async def test_hashed_assets_are_kept_for_long(client: httpx.AsyncClient) -> None:
    answer = await client.get("/assets/index-abc123.js")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/link.txt",
        "/nul%00.txt",
        "/nul%00",
        "/assets/missing.js",
        "/" + "x" * 5000 + ".txt",
    ],
)
async def test_nothing_beside_the_build_is_served(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(httpx.URL("http://test", raw_path=path.encode()))
    assert answer.status_code == 404 or answer.text == "<title>page</title>"
    assert "nobody may read" not in answer.text
    assert "root:" not in answer.text


async def test_without_a_build_the_page_says_how_to_make_one(tmp_path: Path) -> None:
    async for client in client_of(tmp_path / "missing"):
        answer = await client.get("/")
        assert answer.headers["content-type"].startswith("text/html")
        assert "npm run build" in answer.text
        (tmp_path / "missing").mkdir()
        (tmp_path / "missing" / "index.html").write_text("built meanwhile")
        assert (await client.get("/")).text == "built meanwhile"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_an_unknown_route_of_the_api_is_no_page(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/api/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/", "/api/nothing", "/api/openapi.json", "/api/health"])
async def test_every_answer_has_the_security_headers(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "script" not in headers["content-security-policy"]  # default-src 'self': no inline script


def test_the_content_policy_takes_nothing_from_elsewhere_and_runs_no_script_of_the_page() -> None:
    parts = [part.split() for part in CONTENT_SECURITY_POLICY.split("; ")]
    policy = {directive: set(sources) for directive, *sources in parts}
    assert policy["default-src"] == {"'self'"}
    assert {"script-src", "script-src-elem", "script-src-attr", "worker-src", "frame-src"}.isdisjoint(policy)
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == {"'none'"}
    # Nothing is sent elsewhere either.
    assert policy["connect-src"] == policy["form-action"] == {"'self'"}
    assert set().union(*policy.values()) <= {"'self'", "'none'", "data:", "'unsafe-inline'"}
    assert [directive for directive in policy if "'unsafe-inline'" in policy[directive]] == ["style-src"]
    assert [directive for directive in policy if "data:" in policy[directive]] == ["img-src"]


async def test_an_unexpected_error_is_json_and_says_nothing_of_us(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/posts")  # there is no state here
    assert (answer.status_code, answer.json()["detail"]) == (500, "Internal error.")
    assert "undertone" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_openapi_document_names_every_operation_and_types_every_answer() -> None:
    paths = json.loads(document())["paths"]
    assert set(paths) == {
        "/api/health",
        "/api/posts",
        "/api/posts/export",
        "/api/posts/journey",
        "/api/posts/{post_id}",
        "/api/inference",
        "/api/sentiment/aggregate",
        "/api/sentiment/distribution",
        "/api/sentiment/totals",
        "/api/emotions/aggregate",
        "/api/sources",
        "/api/ingester/sources",
        "/api/ingester/sources/{name}",
        "/api/words/rising",
        "/api/alerts",
        "/api/alerts/{alert_id}",
        "/api/alerts/{alert_id}/acknowledge",
        "/api/alert-rules",
        "/api/alert-rules/{rule_id}",
        "/api/alert-rule-preview",
        "/api/webhooks/{name}/test",
        "/api/dead-letters",
        "/api/dead-letters/{letter_id}",
        "/api/dead-letters/replay",
        "/api/dead-letters/drop",
        "/api/analyze",
        "/api/models",
        "/api/session",
        "/predict",
        "/models/{model}/predict",
    }
    for path, operations in paths.items():
        for operation in operations.values():
            assert operation["summary"], path
            assert "_" not in operation["operationId"], path
            for status, response in operation["responses"].items():
                if status == "204":
                    continue
                if (path, status) == ("/api/posts/export", "200"):
                    assert set(response["content"]) == {"text/csv", "application/json", "application/x-ndjson"}
                    continue
                (kind,) = response["content"]
                assert "$ref" in response["content"][kind]["schema"], (path, status)
                # The health of a sick service is no problem's description, but its health; /predict has TEI's dialect.
                is_problem = int(status) >= 400 and path != "/api/health" and not path.endswith("/predict")
                assert kind == ("application/problem+json" if is_problem else "application/json"), (path, status)
                assert "HTTPValidationError" not in str(response), path


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/alerts", "GET, HEAD"),
        ("DELETE", "/api/posts", "GET, POST, HEAD"),
        ("GET", "/api/posts/1", "DELETE"),
        ("GET", "/api/dead-letters/replay/", None),
        ("PATCH", "/api/dead-letters/1-0", "GET, HEAD"),
        ("OPTIONS", "/api/dead-letters/replay", "POST"),
        ("GET", "/api/ingester/sources/bluesky", "PATCH"),
        ("PUT", "/api/dead-letters/drop", "POST"),
        ("POST", "/api/dead-letters/replya/", None),
        ("POST", "/api/alert", None),
        ("GET", "/api/", None),
    ],
)
async def test_a_known_path_says_which_methods_it_has_and_any_other_that_it_is_none(
    client: httpx.AsyncClient, method: str, path: str, allowed: str | None
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == (404 if allowed is None else 405)
    assert answer.headers.get("allow") == allowed
    assert answer.json()["detail"]


def test_the_openapi_document_tells_of_overload_and_of_old_answers() -> None:
    paths = json.loads(document())["paths"]
    for path, operations in paths.items():
        for operation in operations.values():
            refusal = operation["responses"].get("429")
            assert (refusal is None) == (operation["operationId"] in {"getHealth", "getSession", "signOut"}), path
            assert refusal is None or "Retry-After" in refusal["headers"], path
    old = {path for path, operations in paths.items() if "X-Undertone-Stale" in str(operations)}
    assert old == {
        "/api/posts",
        "/api/sentiment/aggregate",
        "/api/sentiment/distribution",
        "/api/sentiment/totals",
        "/api/emotions/aggregate",
        "/api/sources",
        "/api/words/rising",
    }
