"""Every error is a problem (RFC 9457), whoever found it; inference alone answers as its clients expect."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Query, Request
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.app import create_app
from services.api.metrics import ApiMetrics
from services.api.web.admission import Permits
from services.api.web.errors import MAX_FIELD_ERRORS, InvalidParameter, install_error_handlers
from services.api.web.json_body import read_json
from services.api.web.middleware import InternalErrors
from services.api.web.problems import MAX_INSTANCE_CHARS, Problem, error_answer
from services.api.web.request_id import RequestIds
from services.common.errors import ConfigurationError, MalformedPost, Rejected, Transient
from tests.unit.api.asgi import client_of, failing

TEI = ("/predict", "/models/sentiment/predict")


class Body(BaseModel):
    names: list[int]


def app_of_every_error() -> ASGIApp:
    app = FastAPI()
    install_error_handlers(app)
    errors: dict[str, Exception] = {
        "parameter": InvalidParameter("cursor: not one of ours"),
        "malformed": MalformedPost("empty_field", "content is empty"),
        "rejected": Rejected("the model says no"),
        "away": Transient("postgresql://user:hunter2@db refuses", service="PostgreSQL"),
        "configuration": ConfigurationError("hunter2 is not the password"),
        "gone": HTTPException(404, "There is no such letter."),
        "phrase": HTTPException(404),
        "later": HTTPException(503, "No room.", {"Retry-After": "7"}),
    }

    @app.get("/raise/{name}")
    async def fail(name: str) -> None:
        raise errors[name]

    @app.get("/number")
    async def number(limit: Annotated[int, Query(le=100)], other: int = 0) -> int:
        return limit + other

    @app.post("/body")
    async def body(request: Request) -> int:
        return len((await read_json(request, Body)).names)

    app.add_middleware(InternalErrors)
    return RequestIds(app)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app_of_every_error()) as client:
        yield client


def problem_of(answer: httpx.Response) -> Problem:
    assert answer.headers["content-type"] == "application/problem+json"
    found = Problem.model_validate_json(answer.content)
    assert found.status == answer.status_code
    assert found.instance == answer.request.url.raw_path.partition(b"?")[0].decode()
    assert found.request_id == answer.headers["x-request-id"]
    assert found.detail
    assert found.title
    return found


@pytest.mark.parametrize(
    ("name", "status", "kind", "detail"),
    [
        ("parameter", 422, "/problems/invalid-request", "cursor: not one of ours"),
        ("malformed", 422, "/problems/invalid-request", "content is empty"),
        ("rejected", 422, "/problems/invalid-request", "the model says no"),
        ("away", 503, "/problems/unavailable", "PostgreSQL does not answer; try again shortly."),
        (
            "configuration",
            503,
            "/problems/unavailable",
            "A service that this answer needs does not answer; try again shortly.",
        ),
        ("gone", 404, "about:blank", "There is no such letter."),
        ("phrase", 404, "about:blank", "There is nothing at this path."),
        ("later", 503, "/problems/unavailable", "No room."),
        ("unknown", 500, "about:blank", "Internal error."),
    ],
)
async def test_each_error_has_its_status_its_kind_and_its_sentence(
    client: httpx.AsyncClient, name: str, status: int, kind: str, detail: str
) -> None:
    answer = await client.get(f"/raise/{name}")
    found = problem_of(answer)
    assert (found.status, found.type, found.detail) == (status, kind, detail)
    assert kind != "about:blank" or found.title == HTTPStatus(status).phrase
    assert "hunter2" not in answer.text
    assert (int(answer.headers.get("retry-after", 0)) > 0) == (status == 503)


async def test_422_says_which_fields_are_wrong_in_the_query_and_in_the_body(client: httpx.AsyncClient) -> None:
    found = problem_of(await client.get("/number?limit=101&other=x"))
    assert [error.field for error in found.errors] == ["limit", "other"]
    assert found.detail == "; ".join(f"{error.field}: {error.message}" for error in found.errors)
    found = problem_of(await client.post("/body", json={"names": [1, "x"]}))
    assert [error.field for error in found.errors] == ["names.1"]
    found = problem_of(await client.post("/body", json={"names": ["x"] * 1_000}))
    assert len(found.errors) == MAX_FIELD_ERRORS
    found = problem_of(await client.post("/body", content=b"{", headers={"content-type": "application/json"}))
    # No field is called body.
    assert found.errors == []
    assert found.detail.startswith("body: ")
    found = problem_of(await client.get("/raise/parameter"))
    assert [(error.field, error.message) for error in found.errors] == [("cursor", "not one of ours")]
    assert "errors" not in (await client.get("/raise/gone")).json()


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("PUT", "/number", 405)])
async def test_what_the_framework_refuses_is_a_problem_too(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await client.request(method, path)
    assert problem_of(answer).status == status
    assert (status == 405) == ("allow" in answer.headers)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("POST", "/api/alerts", 405),
        ("GET", "/assets/missing.js", 404),
        ("POST", "/", 405),
        ("POST", "/api/dead-letters/drop", 415),
        ("GET", "/api/posts?limit=1000", 422),
        ("GET", "/api/posts", 500),
        ("GET", "/" + "%C3%A4" * 2_000 + ".js", 404),
    ],
)
async def test_every_error_of_the_application_is_one(tmp_path: Path, method: str, path: str, status: int) -> None:
    app = create_app(tmp_path, ApiMetrics())
    app.state.undertone = None
    async with client_of(app) as client:
        answer = await client.request(method, path)
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code == status
    assert body["instance"] == path.partition("?")[0][:MAX_INSTANCE_CHARS]
    assert answer.headers["cache-control"] == "no-store"


async def test_a_full_queue_and_a_page_of_another_site_hear_of_it_in_the_same_form(tmp_path: Path) -> None:
    permits = Permits(ApiMetrics(), at_work=1, waiting=0, wait_s=1)
    await permits.take()
    async with client_of(create_app(tmp_path, ApiMetrics(), permits)) as client:
        assert problem_of(await client.get("/api/posts")).type == "/problems/overloaded"
        foreign = await client.post("/api/dead-letters/drop", headers={"Origin": "http://evil.example"})
        assert problem_of(foreign).type == "/problems/foreign-page"


@pytest.mark.parametrize("path", TEI)
@pytest.mark.parametrize(("status", "error_type"), [(429, "Overloaded"), (503, "Unhealthy"), (500, "Backend")])
async def test_errors_of_inference_are_those_of_its_dialect(path: str, status: int, error_type: str) -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await error_answer(scope, status, "No.")(scope, receive, send)

    async with client_of(refuse) as client:
        answer = await client.post(path)
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {"error": "No.", "error_type": error_type}
        other = await client.post("/models/sentiment/predictions")
        assert other.headers["content-type"] == "application/problem+json"


async def test_an_error_after_the_beginning_of_an_answer_ends_it_and_is_not_a_second_one() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise LookupError

    with pytest.raises(LookupError):
        await InternalErrors(breaking)({"type": "http", "path": "/"}, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_what_failed_unexpectedly_is_no_secret_of_the_log_and_one_for_the_client() -> None:
    async with client_of(InternalErrors(failing(LookupError("hunter2")))) as client:
        answer = await client.get("/api/posts")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
