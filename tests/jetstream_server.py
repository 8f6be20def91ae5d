"""A Jetstream server on loopback: version 1 of its protocol, and whatever can go wrong with it, as a test wants it."""

import asyncio
import json
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

POSTS = "app.bsky.feed.post"
LOOKBACK_US = 36 * 3_600 * 1_000_000
MAX_COLLECTIONS = 100
MAX_DIDS = 10_000
KNOWN = {"wantedCollections", "wantedDids", "cursor", "maxMessageSizeBytes", "compress", "requireHello"}


def now_us() -> int:
    return time.time_ns() // 1_000


def commit(
    rkey: str, *, did: str = "did:plc:mole", operation: str = "create", collection: str = POSTS, **record: Any
) -> dict[str, Any]:
    """An event without its time: a post, whose record may be given in parts, or another operation or collection."""
    change: dict[str, Any] = {"rev": "3l3q", "operation": operation, "collection": collection, "rkey": rkey}
    if operation != "delete":
        change["record"] = {
            "$type": collection,
            "createdAt": "2024-09-09T19:46:02.102Z",
            "langs": ["en"],
            "text": f"good day {rkey}",
        } | record
        change["cid"] = "bafyreid"
    return {"did": did, "kind": "commit", "commit": change}


def identity(did: str = "did:plc:mole") -> dict[str, Any]:
    return {"did": did, "kind": "identity", "identity": {"did": did, "handle": "mole.example", "seq": 1}}


def account(did: str = "did:plc:mole", status: str | None = None) -> dict[str, Any]:
    """`status`: why it is not active; None: it is."""
    said = {"active": status is None, "did": did, "seq": 2} | ({"status": status} if status else {})
    return {"did": did, "kind": "account", "account": said}


class JetstreamServer:
    """`lookback_us`: how old events it still has. `clock_us`: its own clock, which times its events."""

    def __init__(
        self, *, lookback_us: int = LOOKBACK_US, clock_us: Callable[[], int] = now_us, slow_after_s: float = 5.0
    ) -> None:
        self.port = 0
        self.requests: list[dict[str, list[str]]] = []
        # Instead of the next connections, these answers.
        self.refusals: list[HTTPStatus] = []
        self.slow_cut = 0
        self._lookback_us = lookback_us
        self._clock_us = clock_us
        self._slow_after_s = slow_after_s
        self._times: list[int] = []
        self._events: list[tuple[dict[str, Any], bytes]] = []
        # And the event that each is to get next.
        self._connections: dict[ServerConnection, int] = {}
        self._more: dict[ServerConnection, asyncio.Event] = {}

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        return len(self._connections)

    def add(self, *events: dict[str, Any]) -> None:
        """Sends them to whoever wants them. Each has a time of its own, later than that of the one before it."""
        for event in events:
            at_us = max(self._clock_us(), self._times[-1] + 1 if self._times else 0)
            dated = {"did": event["did"], "time_us": at_us} | event
            self._times.append(at_us)
            self._events.append((dated, json.dumps(dated).encode()))
        for more in self._more.values():
            more.set()

    async def say(self, message: str | bytes) -> None:
        """A message as it is, to everybody."""
        for connection in tuple(self._connections):
            with suppress(ConnectionClosed):
                await connection.send(message)

    def say_raw(self, raw: bytes) -> None:
        """Bytes that need not be a frame."""
        for connection in self._connections:
            connection.transport.write(raw)

    def cut(self) -> int:
        """Ends all connections without a closing frame, as a network does: 1006 for whoever is asked. How many."""
        alive = [connection for connection in self._connections if not connection.transport.is_closing()]
        for connection in alive:
            connection.transport.abort()
        return len(alive)

    async def close(self, code: int) -> None:
        for connection in tuple(self._connections):
            await connection.close(code)

    def forget(self) -> None:
        """As a server that starts again with nothing."""
        self._times.clear()
        self._events.clear()
        self._connections = dict.fromkeys(self._connections, 0)

    def check(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuses what the real one does, before a connection is one."""
        parts = urlsplit(request.path)
        options = parse_qs(parts.query, keep_blank_values=True)
        if parts.path != "/subscribe":
            return connection.respond(HTTPStatus.NOT_FOUND, "404 page not found\n")
        self.requests.append(options)
        if self.refusals:
            return connection.respond(self.refusals.pop(0), "not now\n")
        if wrong := _wrong(options):
            return connection.respond(HTTPStatus.BAD_REQUEST, f"invalid options: {wrong}\n")
        return None

    async def serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        options = parse_qs(urlsplit(connection.request.path).query)
        wants = _filter(options)
        most = int(options.get("maxMessageSizeBytes", ["0"])[0])
        self._connections[connection] = self._place(options)
        more = self._more[connection] = asyncio.Event()
        closed = asyncio.create_task(connection.wait_closed())
        closed.add_done_callback(lambda _: more.set())
        try:
            while not closed.done():
                place = self._connections[connection]
                if place >= len(self._events):
                    more.clear()
                    await more.wait()
                    continue
                self._connections[connection] = place + 1
                event, raw = self._events[place]
                if wants(event) and not 0 < most < len(raw):
                    async with asyncio.timeout(self._slow_after_s):
                        await connection.send(raw, text=True)
        except ConnectionClosed:
            pass
        except TimeoutError:
            self.slow_cut += 1
            connection.transport.abort()
        finally:
            closed.cancel()
            del self._connections[connection], self._more[connection]

    def _place(self, options: dict[str, list[str]]) -> int:
        """The first event that a cursor asks for; without one, or with one of the future, those still to come."""
        if "cursor" not in options:
            return len(self._events)
        cursor, now = int(options["cursor"][0]), self._clock_us()
        if cursor > now:
            return len(self._events)
        return bisect_left(self._times, max(cursor, now - self._lookback_us))


def _wrong(options: dict[str, list[str]]) -> str:
    if unknown := options.keys() - KNOWN:
        return f"unknown {sorted(unknown)}"
    if not all(text.isascii() and text.isdecimal() for text in options.get("cursor", ())):
        return "cursor is no number"
    if len(options.get("wantedCollections", ())) > MAX_COLLECTIONS:
        return f"too many wanted collections: {len(options['wantedCollections'])}"
    if len(options.get("wantedDids", ())) > MAX_DIDS:
        return f"too many wanted DIDs: {len(options['wantedDids'])}"
    for did in options.get("wantedDids", ()):
        if len(did.split(":")) < 3 or not did.startswith("did:"):
            return f"invalid did: {did}"
    return ""


def _filter(options: dict[str, list[str]]) -> Callable[[dict[str, Any]], bool]:
    """Events on accounts come whatever collections are wanted."""
    collections = set(options.get("wantedCollections", ()))
    dids = set(options.get("wantedDids", ()))

    def wants(event: dict[str, Any]) -> bool:
        if dids and event["did"] not in dids:
            return False
        return not collections or event["kind"] != "commit" or event["commit"]["collection"] in collections

    return wants


@asynccontextmanager
async def jetstream(*, ping_interval_s: float | None = 30.0, **options: Any) -> AsyncIterator[JetstreamServer]:
    """A running one. `ping_interval_s`: how often it asks whether the client lives."""
    state = JetstreamServer(**options)
    async with serve(
        state.serve,
        "127.0.0.1",
        0,
        process_request=state.check,
        compression=None,
        ping_interval=ping_interval_s,
        ping_timeout=ping_interval_s,
        close_timeout=1.0,
    ) as server:
        state.port = _port(server)
        yield state


def _port(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])
