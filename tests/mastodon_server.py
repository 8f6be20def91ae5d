"""A Mastodon server on loopback: its public timeline and its stream, and whatever can go wrong with them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

FIRST_ID = 113_000_000_000_000_000
MAX_PAGE = 40
RATE_LIMIT = 300


def status(number: int, **changes: Any) -> dict[str, Any]:
    """As the server gives it, shortened to what tells one from another."""
    account = {"id": "7", "username": "mole", "acct": "mole", "bot": False} | changes.pop("account", {})
    return {
        "id": str(FIRST_ID + number),
        "created_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "spoiler_text": "",
        "visibility": "public",
        "language": "en",
        "uri": f"https://mastodon.example/users/mole/statuses/{number}",
        "content": f"<p>good day {number}</p>",
        "reblog": None,
        "account": account,
    } | changes


class MastodonServer:
    """`token`: without it nobody reads its stream; `is_closed`: nor its timeline."""

    def __init__(self, *, token: str = "", is_closed: bool = False) -> None:
        self.port = 0
        self.pages: list[dict[str, list[str]]] = []
        # Instead of the next pages: a status, and what is said besides.
        self.refusals: list[tuple[HTTPStatus, bytes]] = []
        self.reset_in_s = 300.0
        self._token = token
        self._is_closed = is_closed
        self._statuses: list[dict[str, Any]] = []
        self._streams: set[ServerConnection] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def streams(self) -> int:
        return len(self._streams)

    async def add(self, *statuses: dict[str, Any]) -> None:
        """Into the timeline, and to whoever reads the stream."""
        for each in statuses:
            self._statuses.append(each)
            await self.tell("update", json.dumps(each))

    async def tell(self, event: str, payload: str) -> None:
        await self.say(json.dumps({"stream": ["public"], "event": event, "payload": payload}))

    async def say(self, message: str | bytes) -> None:
        for stream in tuple(self._streams):
            with suppress(ConnectionClosed):
                await stream.send(message)

    def cut(self) -> None:
        """Without a closing frame, as a network does."""
        for stream in self._streams:
            stream.transport.abort()

    def check(self, _: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        is_known = bool(self._token) and request.headers.get("Authorization") == f"Bearer {self._token}"
        if parts.path == "/api/v1/streaming":
            return None if is_known else _answer(HTTPStatus.UNAUTHORIZED, b'{"error": "Missing access token"}')
        if parts.path != "/api/v1/timelines/public":
            return _answer(HTTPStatus.NOT_FOUND, b'{"error": "Record not found"}')
        options = parse_qs(parts.query)
        self.pages.append(options)
        if self.refusals:
            reset = datetime.now(UTC) + timedelta(seconds=self.reset_in_s)
            return _answer(*self.refusals.pop(0), reset=reset.isoformat().replace("+00:00", "Z"))
        if self._is_closed and not is_known:
            error = b'{"error": "This method requires an authenticated user"}'
            return _answer(HTTPStatus.UNPROCESSABLE_ENTITY, error)
        return _answer(HTTPStatus.OK, json.dumps(self._page(options)).encode())

    def _page(self, options: dict[str, list[str]]) -> list[dict[str, Any]]:
        """The newest first; with min_id, those that came right behind it."""
        limit = min(int(options.get("limit", ["20"])[0]), MAX_PAGE)
        if "min_id" not in options:
            return self._statuses[::-1][:limit]
        after = [each for each in self._statuses if int(each["id"]) > int(options["min_id"][0])]
        return after[:limit][::-1]

    async def serve(self, connection: ServerConnection) -> None:
        self._streams.add(connection)
        try:
            await connection.wait_closed()
        finally:
            self._streams.discard(connection)


def _answer(code: HTTPStatus, body: bytes, reset: str = "") -> Response:
    headers = Headers(
        {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(body)),
            "Connection": "close",
            "X-RateLimit-Limit": str(RATE_LIMIT),
        }
    )
    if reset:
        headers["X-RateLimit-Reset"] = reset
    return Response(code.value, code.phrase, headers, body)


@asynccontextmanager
async def mastodon(**options: Any) -> AsyncIterator[MastodonServer]:
    state = MastodonServer(**options)
    async with serve(
        state.serve, "127.0.0.1", 0, process_request=state.check, compression=None, close_timeout=1.0
    ) as server:
        state.port = int(next(iter(server.sockets)).getsockname()[1])
        yield state
