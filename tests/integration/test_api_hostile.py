"""Clients that send nonsense, too much, or nothing: a clean end for them, no error of ours, no harm to others."""

import asyncio
import base64
import json
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from bench.fanout.frames import CLOSE, FrameReader
from services.api.feed import route as live
from services.api.web import protocols
from services.common.messages import ResultsMessage
from services.common.settings import Settings
from services.common.streams import open_redis
from tests.integration.test_api_live import metric, publish, receive
from tests.integration.test_api_server import Api, running_api
from tests.unit.api.analysed import analysed_posts
from tests.waiting import eventually

TEXT, BINARY, CONTINUATION, PING = 0x1, 0x2, 0x0, 0x9


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    head = bytes([(0x80 if fin else 0) | reserved | opcode])
    mask_bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head += bytes([mask_bit | size])
    elif size < 65_536:
        head += bytes([mask_bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([mask_bit | 127]) + struct.pack("!Q", size)
    return head + (b"\0\0\0\0" if masked else b"") + payload  # a mask of zeros changes nothing


def handshake(api: Api) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET /ws/sentiment HTTP/1.1\r\nHost: {api.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()


class Raw:
    """A WebSocket client that may do whatever it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._frames = FrameReader()
        self.writer = writer

    async def send(self, data: bytes) -> None:
        with suppress(ConnectionError):  # sent away in the middle of it
            self.writer.write(data)
            await self.writer.drain()

    async def close_code(self) -> int | None:
        """Reads to the end; the code of the server's close frame, None if it sent none."""
        code = None
        with suppress(ConnectionError):
            async with asyncio.timeout(20):
                while data := await self._reader.read(65_536):
                    for kind, payload in self._frames.feed(data):
                        if kind == CLOSE:
                            code = struct.unpack("!H", payload[:2])[0]
        return code

    async def until(self, kind: str) -> None:
        """Reads on until the server sends a message of this type."""
        async with asyncio.timeout(20):
            while True:
                for opcode, payload in self._frames.feed(await self._reader.read(65_536)):
                    if opcode == TEXT and json.loads(payload)["type"] == kind:
                        return


@asynccontextmanager
async def raw(api: Api) -> AsyncIterator[Raw]:
    host, port = api.host.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(handshake(api))
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


@pytest.fixture
async def calm(settings: Settings, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Api]:
    """An API that, when the test is over, still serves, has no client any more, and complained of nothing."""
    async with running_api(settings) as api:
        yield api
        async with connect(api.live_url) as browser:
            assert await receive(browser, "connected")

        async def nobody() -> bool:
            return await metric(api, "undertone_websocket_clients") == 0

        await eventually(nobody, "no client any more")
        assert 'status="500"' not in (await api.http.get("/metrics")).text
    records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    assert [record.getMessage() for record in records if record.levelno >= logging.ERROR] == []


BREAKING = {
    "text that is not UTF-8": (frame(TEXT, b"\xff\xfe"), 1007),
    "a lone surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "a broken character": (frame(TEXT, b"\xe2\x82", fin=False) + frame(CONTINUATION, b"x"), 1007),
    "a long message": (frame(TEXT, b"x" * 5_000), 1009),
    "a megabyte": (frame(BINARY, b"x" * 1_000_000), 1009),
    "long in parts": (frame(TEXT, b"x" * 3_000, fin=False) + frame(CONTINUATION, b"x" * 3_000), 1009),
    "parts without end": (frame(TEXT, b"", fin=False) + frame(CONTINUATION, fin=False) * 200, 1009),
    "a flood of pings": (frame(PING) * 50_000, 1008),
    "a flood of long pings": (frame(PING, b"x" * 125) * 5_000, 1008),
    "a flood of messages": (frame(TEXT, b'{"type":"ping"}') * 5_000, 1008),
    "without a mask": (frame(TEXT, b"x", masked=False), 1002),
    "an opcode that is none": (frame(0x3), 1002),
    "compression that was not agreed on": (frame(TEXT, b"x", reserved=0x40), 1002),
    "a ping that is too long": (frame(PING, b"x" * 126), 1002),
    "the continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "a message within another": (frame(TEXT, b"x", fin=False) + frame(TEXT, b"x"), 1002),
    "a close code that is none": (frame(CLOSE, struct.pack("!H", 999)), 1002),
    "a reason that is not UTF-8": (frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
    "a goodbye": (frame(CLOSE, struct.pack("!H", 1000)), 1000),
}


async def test_what_breaks_the_protocol_is_told_by_its_code(calm: Api) -> None:
    async with connect(calm.live_url) as other:
        await receive(other, "connected")
        for name, (sent, code) in BREAKING.items():
            async with raw(calm) as client:
                await client.send(sent)
                assert await client.close_code() == code, name
            await other.send('{"type":"ping"}')
            assert await receive(other, "pong")


SENSELESS = {
    "nested": frame(TEXT, b'{"a":' + b"[" * 4_000),
    "nested lists": frame(TEXT, b"[" * 4_096),
    "nested objects": frame(TEXT, b'{"type":' * 500),
    "bytes": frame(BINARY, bytes(range(256))),
    "half a character, escaped": frame(TEXT, b'{"type":"\\ud800"}'),
    "a NUL": frame(TEXT, b'{"type":"pi\x00ng"}'),
    "a number beyond all": frame(TEXT, b'{"type":1e400}'),
    "a character in two parts": frame(TEXT, b"\xe2\x82", fin=False) + frame(CONTINUATION, b"\xac"),
    "some pings": frame(PING, b"x" * 125) * 50,
    "a pong that nobody asked for": frame(0xA, b"never asked"),
}


async def test_what_makes_no_sense_is_passed_over(calm: Api) -> None:
    for sent in SENSELESS.values():
        async with raw(calm) as client:
            await client.send(sent)
            await client.send(frame(TEXT, b'{"type":"ping"}'))
            await client.until("pong")


async def test_a_flood_without_reading_ends_too(calm: Api) -> None:
    async with raw(calm) as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined] # it is a reading one too
        for _ in range(200):
            await client.send(frame(PING, b"x" * 125) * 100)

        async def nobody() -> bool:
            return await metric(calm, "undertone_websocket_clients") == 0

        await eventually(nobody, "its end")


async def test_who_leaves_before_the_welcome_is_no_error(calm: Api) -> None:
    host, port = calm.host.split(":")
    for number in range(200):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(handshake(calm))
        for _ in range(number % 10):
            await asyncio.sleep(0)
        writer.transport.abort()


async def test_who_is_sent_away_while_much_is_sent_to_it_is_no_error(calm: Api, redis_url: str) -> None:
    async with open_redis(redis_url) as client:
        for _ in range(20):
            async with raw(calm) as flooding:
                await publish(client, ResultsMessage(posts=analysed_posts(100)))
                await flooding.send(frame(PING) * 10_000)
                assert await flooding.close_code() == 1008


@pytest.mark.parametrize("path", ["/", "/ws/nothing", "/api/posts", "/assets/page.js"])
async def test_there_is_one_live_feed(calm: Api, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws://{calm.host}{path}")
    assert refused.value.response.status_code in (403, 404)


NO_REQUESTS = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 3 + b"\r\n\r\n",
    "NUL": b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "not ASCII": "GET /posts/é HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a length below nothing": b"POST /api/x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "an unknown encoding": b"POST /api/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n",
}


async def test_what_is_no_http_request_is_refused_in_json(calm: Api) -> None:
    host, port = calm.host.split(":")
    for name, sent in NO_REQUESTS.items():
        reader, writer = await asyncio.open_connection(host, int(port))
        answer = b""
        with suppress(ConnectionError):
            writer.write(sent)
            async with asyncio.timeout(20):
                answer = await reader.read()
        writer.close()
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 ")), (name, answer[:200])
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"], name


# Whether they come at once or in pieces decides whether they are answered or refused.
LONG_REQUESTS = (
    b"GET /api/" + b"x" * 500_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + b"X: x\r\n" * 20_000 + b"\r\n",
)


@pytest.mark.parametrize("sent", LONG_REQUESTS, ids=["path", "page", "header", "headers"])
async def test_what_is_very_long_has_an_end(calm: Api, sent: bytes) -> None:
    host, port = calm.host.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    with suppress(ConnectionError):
        writer.write(sent)
        async with asyncio.timeout(20):
            answer = await reader.read()
        # A client that is still sending when it is refused may be too late to read why.
        assert answer == b"" or answer.split()[1] in (b"200", b"400", b"404", b"414", b"431")
    writer.close()


NUMBERS = ("1e400", "NaN", "Infinity", "-1", "9" * 5_000, "0x10", "%D9%A1", "1_0", " 1", "1\x00", "", "1.5", "+1")
TEXTS = ("%ED%A0%80", "%00", "%E2%80%AE", "%F4%90%80%80", "%", "%zz", "x" * 10_000, "%27%3B--", "%5C%25_", "%FF")
DATES = ("9999-12-31T23:59:59Z", "0001-01-01", "1e400", "-1", "99999999999999999999", "2026-02-30", "NaN", "%00")


PATHS = (
    *(f"/api/{route}={value}" for value in NUMBERS for route in ("posts?limit", "posts?offset", "alerts?offset")),
    *(f"/api/sentiment/distribution?hours={value}" for value in NUMBERS),
    *(f"/api/posts?{name}={value}" for value in TEXTS for name in ("search", "source", "emotion", "cursor")),
    *(f"/api/{route}?start_date={value}" for value in DATES for route in ("posts", "sentiment/aggregate")),
    *(f"/{value}" for value in TEXTS),
    *(f"/api/{value}" for value in TEXTS),
    "/api/posts?" + "limit=1&" * 1_000,
    "/api/posts?" + "x=1&" * 2_000,
    "/api/posts?=&&==&[]=1",
)


async def test_absurd_values_are_refused_in_a_sentence_or_understood(calm: Api) -> None:
    for path in PATHS:
        url = httpx.URL(f"http://{calm.host}", raw_path=path.replace(" ", "%20").replace("\0", "%00").encode())
        answer = await calm.http.get(url)
        assert answer.status_code in (200, 404, 422), (path, answer.text)
        if answer.status_code == 422:
            assert answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api/posts", "/api/alerts", "/api/sentiment/aggregate", "/api/health", "/"])
async def test_every_method_has_an_answer(calm: Api, path: str) -> None:
    head = await calm.http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    for method in ("OPTIONS", "PUT", "DELETE", "TRACE", "BREW"):
        answer = await calm.http.request(method, path)
        assert answer.status_code == 405
        assert answer.json()["detail"]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can wait for."""
    monkeypatch.setattr(protocols, "REQUEST_TIMEOUT_S", 0.5)
    monkeypatch.setattr(protocols, "ANSWER_TIMEOUT_S", 0.5)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("at_once", "slowly"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"", b"GET / HTTP/1.1\r\nX: " + b"x" * 10_000, id="a header"),
        pytest.param(b"POST /api/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n", b"x" * 10_000, id="a body"),
        pytest.param(
            b"GET /api/x HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /api/x HTTP/1.1\r\nX: " + b"x" * 10_000, id="the next one"
        ),
    ],
)
async def test_who_sends_a_byte_now_and_then_does_not_keep_a_connection(
    calm: Api, at_once: bytes, slowly: bytes
) -> None:
    host, port = calm.host.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(at_once)
    reading = asyncio.create_task(reader.read())
    with suppress(ConnectionError):
        for byte in slowly:
            if reading.done():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
    async with asyncio.timeout(20):
        with suppress(ConnectionError):
            await reading
    writer.close()


@pytest.mark.usefixtures("hasty")
async def test_who_does_not_read_the_answers_does_not_keep_a_connection(calm: Api) -> None:
    host, port = calm.host.split(":")
    request = f"GET /api/openapi.json HTTP/1.1\r\nHost: {calm.host}\r\n\r\n".encode()
    with socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        greedy.connect((host, int(port)))
        own_port = greedy.getsockname()[1]
        greedy.setblocking(False)
        with suppress(BlockingIOError):
            for _ in range(20_000):
                greedy.send(request)

        async def is_there() -> bool:
            ends = psutil.Process().net_connections("tcp")
            return any(end.raddr and end.raddr.port == own_port for end in ends)

        async def is_gone() -> bool:
            return not await is_there()

        await eventually(is_there, "its connection")
        await eventually(is_gone, "the end of its connection")


async def test_who_asks_now_and_then_keeps_the_connection(calm: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    # Far more than a pause, also where the machine makes one of its own, and less than all of them.
    monkeypatch.setattr(protocols, "REQUEST_TIMEOUT_S", 3.0)
    host, port = calm.host.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for _ in range(10):
        writer.write(b"GET /api/nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        await asyncio.sleep(0.4)
    writer.close()


@pytest.mark.usefixtures("hasty")
async def test_the_live_feed_is_no_request_that_has_to_end(calm: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "IDLE_PING_S", 0.05)
    async with connect(calm.live_url) as browser:
        for _ in range(20):  # twice as long as a request may take
            await receive(browser, "ping")
