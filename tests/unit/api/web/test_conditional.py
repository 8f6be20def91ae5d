"""What a client has is not sent again; what is out of date, an error or a stream is kept by nobody."""

import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.web.conditional import ConditionalGet
from tests.unit.api.asgi import answering, client_of


async def ask(app: ASGIApp, path: str = "/api/posts", method: str = "GET", **headers: str) -> httpx.Response:
    async with client_of(ConditionalGet(app)) as client:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.request(method, path, headers=sent)


@pytest.mark.parametrize("known", ["{}", '"other", {}', "*", "W/{}", '"a",{},"b"'])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_who_has_it_gets_304_without_a_body(known: str, method: str) -> None:
    app = answering(b'{"posts":[]}', headers={"X-Other": "1"})
    first = await ask(app)
    assert (first.status_code, first.content) == (200, b'{"posts":[]}')
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    again = await ask(app, method=method, if_none_match=known.format(tag.removeprefix("W/")))
    assert (again.status_code, again.content) == (304, b"")
    assert "content-type" not in again.headers
    assert "content-length" not in again.headers
    kept = ("etag", "cache-control", "x-other")
    assert [again.headers[name] for name in kept] == [first.headers[name] for name in kept]


async def test_another_content_has_another_tag_and_is_sent() -> None:
    tag = (await ask(answering(b"1"))).headers["etag"]
    other = await ask(answering(b"2"), if_none_match=tag)
    assert (other.status_code, other.content) == (200, b"2")
    assert other.headers["etag"] != tag


@pytest.mark.parametrize(
    ("app", "method", "path"),
    [
        (answering(status=404), "GET", "/api/posts"),
        (answering(status=503), "GET", "/api/posts"),
        (answering(), "POST", "/api/posts"),
        (answering(headers={"X-Undertone-Stale": "7"}), "GET", "/api/sentiment/aggregate"),
        (answering(headers={"Cache-Control": "no-store"}), "GET", "/api/posts"),
    ],
    ids=["unknown", "away", "a change", "out of date", "its own word"],
)
async def test_what_must_not_be_kept_has_no_tag_and_says_so(app: ASGIApp, method: str, path: str) -> None:
    answer = await ask(app, path, method, if_none_match="*")
    assert answer.content == b"{}"
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


async def test_a_stream_goes_through_piece_by_piece() -> None:
    passed: list[Message] = []

    async def send(message: Message) -> None:
        passed.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def produce(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        assert [message.get("body") for message in passed] == [None, b"1"]
        await send({"type": "http.response.body", "body": b"2"})

    scope = {"type": "http", "method": "GET", "path": "/api/posts", "headers": [(b"if-none-match", b"*")]}
    await ConditionalGet(produce)(scope, receive, send)
    assert [message.get("body") for message in passed] == [None, b"1", b"2"]
    assert passed[0]["status"] == 200
    assert b"etag" not in dict(passed[0]["headers"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/posts", "private, no-cache"),
        ("/api/openapi.json", "private, no-cache"),
        ("/api/sentiment/aggregate", "private, max-age=1"),
        ("/api/sentiment/distribution", "private, max-age=1"),
        ("/api/sources", "private, max-age=1"),
    ],
)
async def test_counts_are_kept_for_a_second_the_rest_is_asked_for_again(path: str, expected: str) -> None:
    assert (await ask(answering(), path)).headers["cache-control"] == expected


@pytest.mark.parametrize("path", ["/", "/metrics", "/assets/page.js", "/predict"])
async def test_what_is_not_of_the_api_is_left_alone(path: str) -> None:
    answer = await ask(answering(), path, if_none_match="*")
    assert answer.status_code == 200
    assert "etag" not in answer.headers
    assert "cache-control" not in answer.headers
