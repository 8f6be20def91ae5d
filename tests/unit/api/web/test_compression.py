"""Long answers are compressed for those who take it; short ones and streams of others stay what they are."""

import zlib
from pathlib import Path

from starlette.types import Message, Receive, Scope, Send

from services.api.app import COMPRESSED_FROM_BYTES, create_app
from services.api.metrics import ApiMetrics
from tests.unit.api.asgi import client_of


async def test_who_takes_gzip_gets_it_with_the_same_tag_and_304(tmp_path: Path) -> None:
    async with client_of(create_app(tmp_path, ApiMetrics())) as client:
        plain = await client.get("/api/openapi.json", headers={"Accept-Encoding": "identity"})
        packed = await client.get("/api/openapi.json", headers={"Accept-Encoding": "gzip"})
        known = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["etag"]}
        again = await client.get("/api/openapi.json", headers=known)
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.content == packed.content
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 4
    assert plain.headers["etag"] == packed.headers["etag"] == again.headers["etag"]
    assert (again.status_code, again.content) == (304, b"")
    for answer in (plain, packed):
        assert "accept-encoding" in answer.headers["vary"].lower()


async def test_what_fits_into_a_packet_is_sent_as_it_is(tmp_path: Path) -> None:
    async with client_of(create_app(tmp_path, ApiMetrics())) as client:
        answer = await client.get("/api/nothing", headers={"Accept-Encoding": "gzip"})
    assert len(answer.content) < COMPRESSED_FROM_BYTES
    assert "content-encoding" not in answer.headers


async def test_a_stream_flows_also_when_it_is_compressed(tmp_path: Path) -> None:
    """What was sent of it can be read, before the rest is there."""
    app = create_app(tmp_path, ApiMetrics())
    reader, read = zlib.decompressobj(16 + zlib.MAX_WBITS), b""

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        nonlocal read
        read += reader.decompress(message.get("body", b""))

    async def produce(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/csv")]})
        for number in range(1, 4):
            await send({"type": "http.response.body", "body": b"a line\n", "more_body": True})
            assert read == b"a line\n" * number
        await send({"type": "http.response.body", "body": b""})

    app.mount("/api", produce)
    app.router.routes.insert(0, app.router.routes.pop())
    scope = {"type": "http", "method": "GET", "path": "/api/x", "query_string": b"", "root_path": ""}
    await app(scope | {"headers": [(b"accept-encoding", b"gzip")]}, receive, send)
    assert read == b"a line\n" * 3
    assert reader.eof
