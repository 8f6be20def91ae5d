"""Every request and every live connection has a name: the client's, if it is sane, else one of ours."""

from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest
import structlog
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from services.api.web.request_id import RequestIds, current_request_id
from tests.unit.api.asgi import client_of


async def telling(scope: Scope, receive: Receive, send: Send) -> None:
    structlog.get_logger().info("work")
    await JSONResponse(current_request_id())(scope, receive, send)


@pytest.mark.parametrize(
    "sent", ["a", "6f1c-9d0e", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "x" * 128]
)
async def test_a_sane_id_is_kept_in_the_answer_and_in_the_log(sent: str) -> None:
    async with client_of(RequestIds(telling)) as client:
        with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            answer = await client.get("/", headers={"X-Request-ID": sent})
    assert answer.headers["x-request-id"] == answer.json() == sent
    assert [line["request_id"] for line in lines] == [sent]


@pytest.mark.parametrize("sent", [None, "", "x" * 129, "a b", "a\tb", "é", '"', "{}", "a,b", "<script>", "\x7f"])
async def test_any_other_is_replaced(sent: str | None) -> None:
    headers = httpx.Headers([] if sent is None else [(b"X-Request-ID", sent.encode())])
    async with client_of(RequestIds(telling)) as client:
        answers = [await client.get("/", headers=headers) for _ in range(2)]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert [answer.json() for answer in answers] == ids
    assert len(set(ids)) == 2
    assert all(len(found) == 16 and int(found, 16) >= 0 for found in ids)


async def test_it_ends_with_its_request() -> None:
    async with client_of(RequestIds(telling)) as client:
        await client.get("/")
    assert current_request_id() is None


async def test_a_live_connection_hears_it_with_the_handshake_and_its_lines_have_it() -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def feed(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": current_request_id()})

    await RequestIds(feed)({"type": "websocket", "headers": [(b"x-request-id", b"abc")]}, receive, send)
    assert (b"x-request-id", b"abc") in sent[0]["headers"]
    assert sent[1]["text"] == "abc"
