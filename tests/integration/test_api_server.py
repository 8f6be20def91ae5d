"""The API's process: it comes up whatever is away, heals, and ends in good order."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from services.api.server import bind, serve
from services.common.errors import Transient
from services.common.settings import Settings
from services.inference.scorer import Scored
from services.inference.served import Models
from tests.ports import free_port
from tests.processes import service
from tests.waiting import eventually


class Inference:
    """Models that answer nobody, and a probe of them whose answer the test decides."""

    def __init__(self) -> None:
        self.works = True

    async def check(self) -> None:
        if not self.works:
            raise Transient("no inference")

    async def models(self) -> Models:
        raise Transient("no models")

    async def score(self, _inputs: object, _roles: object, _cut: object) -> Scored:
        raise Transient("no inference")


class Api:
    """A running API, and what speaks to it."""

    def __init__(self, host: str, http: httpx.AsyncClient, inference: Inference) -> None:
        self.host = host
        self.http = http
        self.inference = inference
        self.live_url = f"ws://{host}/ws/sentiment"

    async def get(self, path: str, **params: str | int) -> dict[str, Any]:
        response = await self.http.get(path, params=params)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def health(self) -> dict[str, Any]:
        answer: dict[str, Any] = (await self.http.get("/api/health")).json()
        return answer

    async def becomes(self, status: str) -> None:
        async def has_become() -> bool:
            return str((await self.health())["status"]) == status

        await eventually(has_become, f"{status} health")


@asynccontextmanager
async def running_api(settings: Settings) -> AsyncIterator[Api]:
    """The API in this process, on a port of its own."""
    stopping, inference = asyncio.Event(), Inference()
    with bind("127.0.0.1", 0) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        task = asyncio.create_task(serve(settings, stopping, inference, listener))
        try:
            async with httpx.AsyncClient(base_url=f"http://{host}", timeout=20) as http:
                yield Api(host, http, inference)
        finally:
            stopping.set()
            async with asyncio.timeout(20):
                await task


async def close_code(browser: ClientConnection) -> int:
    """Reads on until the server ends the connection; its code."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(30):
            while True:
                await browser.recv()
    assert browser.close_code is not None
    return browser.close_code


class Relay:
    """A port that leads to a server while it is open: a server that goes away and comes back, without its restart.

    Of sockets: an asyncio.Server that closes in the moment of an accept leaves that connection open (Python 3.11).
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self.port = free_port()
        self.url = url.replace(f":{parts.port}", f":{self.port}")
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepted = ExitStack()

    async def open(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port))
        listener.setblocking(False)
        self._tasks.add(asyncio.create_task(self._accept(listener)))

    async def cut(self) -> None:
        """Nobody gets in any more, and who is in is thrown out."""
        while self._tasks:
            tasks, self._tasks = self._tasks, set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._accepted.close()  # also those whose task was cancelled before its first step

    async def _accept(self, listener: socket.socket) -> None:
        with listener:
            while True:
                near, _ = await asyncio.get_running_loop().sock_accept(listener)
                self._accepted.enter_context(near)
                self._tasks.add(asyncio.create_task(self._link(near)))

    async def _link(self, near: socket.socket) -> None:
        with near, socket.socket() as far, suppress(OSError):
            far.setblocking(False)
            await asyncio.get_running_loop().sock_connect(far, self._target)
            pumps = [asyncio.create_task(self._pump(*ends)) for ends in ((near, far), (far, near))]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(source, 65_536):
            await loop.sock_sendall(sink, data)


@asynccontextmanager
async def relayed(url: str) -> AsyncIterator[Relay]:
    """Closed at first."""
    relay = Relay(url)
    try:
        yield relay
    finally:
        await relay.cut()


async def test_it_comes_up_without_its_database_and_heals(settings: Settings, empty_database_url: str) -> None:
    async with (
        relayed(empty_database_url) as relay,
        running_api(settings.model_copy(update={"database_url": relay.url})) as api,
    ):
        answer = await api.http.get("/api/health")
        assert answer.status_code == 503
        assert answer.json()["services"]["database"] == "disconnected"
        assert answer.json()["stats"]["total_posts"] is None
        refused = await api.http.get("/api/posts")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        await relay.open()
        await api.becomes("healthy")
        assert (await api.get("/api/posts"))["posts"] == []  # the migrations have run


async def test_the_process_ends_in_good_order(settings: Settings, tmp_path: Path) -> None:
    port = free_port()
    async with service("api", settings.model_copy(update={"api_port": port}), tmp_path) as process:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

            async def answers() -> bool:
                with suppress(httpx.TransportError):
                    return str((await http.get("/api/health", timeout=10)).json()["status"]) == "degraded"
                return False

            await eventually(answers, "an answer; degraded, since there is no Triton")
        async with connect(f"ws://127.0.0.1:{port}/ws/sentiment") as browser:
            await browser.recv()
            assert await process.stop(signal.SIGTERM) == 0
            assert await close_code(browser) == 1001
    assert "Traceback" not in process.output


async def test_a_taken_port_is_one_clear_sentence(settings: Settings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = settings.model_copy(update={"api_port": other.getsockname()[1]})
        async with service("api", taken, tmp_path) as process:
            async with asyncio.timeout(30):
                assert await process.process.wait() == 2
    assert "set API_PORT" in process.output
    assert "Traceback" not in process.output


async def test_a_database_that_refuses_us_ends_the_process_clearly(settings: Settings, tmp_path: Path) -> None:
    wrong = settings.model_copy(update={"database_url": settings.database_url + "_absent", "api_port": free_port()})
    async with service("api", wrong, tmp_path) as process:
        async with asyncio.timeout(30):
            assert await process.process.wait() == 2
    assert "check DATABASE_URL" in process.output
    assert "Traceback" not in process.output
