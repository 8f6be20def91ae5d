"""A real HTTP server on loopback that takes messages, and answers as a test wants it."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.listening import listening

# In place of a status: nothing is answered until the client goes away.
HANG = 0


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def delivery(self) -> str:
        return self.headers["x-undertone-delivery"]


class Receiver:
    """`received`: every whole request, whatever its answer. `answers`: of the next requests; then it is 200."""

    def __init__(self) -> None:
        self.port = 0
        self.received: list[Received] = []
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        self.hanging = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/s3cret"

    def will(self, *answers: int | tuple[int, dict[str, str]]) -> None:
        self.answers.extend((answer, {}) if isinstance(answer, int) else answer for answer in answers)

    @property
    def events(self) -> list[str]:
        return [request.body["event"] for request in self.received]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    await self._answer(reader, writer)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        request_line, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        status, more = self.answers.popleft() if self.answers else (200, {})
        self.received.append(Received(request_line.split()[1], headers, json.loads(body)))
        if status == HANG:
            self.hanging += 1
            try:
                await reader.read(1)  # ends when the client has enough
            finally:
                self.hanging -= 1
            raise ConnectionError
        fields = "".join(f"{name}: {value}\r\n" for name, value in more.items())
        writer.write(f"HTTP/1.1 {status} As Told\r\nContent-Length: 2\r\n{fields}\r\nok".encode())
        await writer.drain()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with listening(receiver.serve) as receiver.port:
        yield receiver
