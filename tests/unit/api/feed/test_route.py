"""The WebSocket's end, where both sides end it at once."""

import asyncio
from types import SimpleNamespace
from typing import Any

from starlette.types import Message
from starlette.websockets import WebSocket

from services.api.feed.broadcast import Broadcaster
from services.api.feed.route import live
from services.api.metrics import ApiMetrics
from services.common.errors import Transient


class LeavingBrowser:
    """Says nothing, and has left when the server ends the connection."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.is_greeted = asyncio.Event()
        self._messages = iter([{"type": "websocket.connect"}])

    async def receive(self) -> Message:
        for message in self._messages:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.close":
            raise OSError("gone")
        self.sent.append(message["type"])
        if message["type"] == "websocket.send":
            self.is_greeted.set()


def make_state(max_clients: int) -> Any:
    async def latest() -> bytes:
        raise Transient("no database")

    metrics = ApiMetrics()
    return SimpleNamespace(
        metrics=metrics,
        broadcaster=Broadcaster(metrics, queue_size=1, max_clients=max_clients),
        counts=SimpleNamespace(latest=latest),
        settings=SimpleNamespace(allowed_origins=frozenset()),
    )


async def stay(browser: LeavingBrowser, state: Any) -> None:
    scope = {"type": "websocket", "headers": [], "client": ("127.0.0.1", 1), "path": "/ws/sentiment"}
    await live(WebSocket(scope, browser.receive, browser.send), state)


async def test_a_browser_that_has_left_when_it_is_refused_is_no_error() -> None:
    state, browser = make_state(max_clients=0), LeavingBrowser()
    await stay(browser, state)
    assert browser.sent == ["websocket.accept"]
    assert state.metrics.registry.get_sample_value("undertone_websocket_refused_total", {"reason": "full"}) == 1


async def test_a_browser_that_has_left_when_the_server_says_goodbye_is_no_error() -> None:
    state, browser = make_state(max_clients=1), LeavingBrowser()
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        tasks.create_task(stay(browser, state))
        await browser.is_greeted.wait()
        tasks.create_task(state.broadcaster.close())
    assert browser.sent == ["websocket.accept", "websocket.send"]
