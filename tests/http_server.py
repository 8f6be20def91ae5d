"""An HTTP server on loopback that answers as a test wants it, also with what is no answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus

from tests.listening import listening


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """`is_cut`: half of the body, and then no more. `has_length`: else it ends where the connection does."""

    status: int = HTTPStatus.OK
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    is_cut: bool = False
    has_length: bool = True


class HttpServer:
    """`requests`: all that came. `most_at_once`: that had no answer yet. `answer`: what each is told."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self.port = 0
        self.requests: list[Request] = []
        self.most_at_once = 0
        self._at_once = 0
        self._answer = answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection can go on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request_line, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, target, _ = request_line.split()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Request(method, target, headers, body)
        self.requests.append(request)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        # Those that came together are here together.
        await asyncio.sleep(0)
        self._at_once -= 1
        answer = self._answer(request)
        fields = dict(answer.headers)
        if answer.has_length and answer.status != HTTPStatus.NOT_MODIFIED:
            fields["Content-Length"] = str(len(answer.body))
        text = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"HTTP/1.1 {int(answer.status)} As Told\r\n{text}\r\n".encode())
        writer.write(answer.body[: len(answer.body) // 2] if answer.is_cut else answer.body)
        await writer.drain()
        return answer.has_length and not answer.is_cut


@asynccontextmanager
async def http_server(answer: Callable[[Request], Answer]) -> AsyncIterator[HttpServer]:
    state = HttpServer(answer)
    async with listening(state.serve) as state.port:
        yield state
