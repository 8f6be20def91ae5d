"""The web server: its port, its WebSocket protocol, its orderly end."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from services.api.admission import Permits
from services.api.app import create_app
from services.api.state import HealthProbe, open_state
from services.common.errors import ConfigurationError
from services.common.logging import get_logger
from services.common.settings import Settings

log = get_logger(__name__)

# A client sends no more than {"type":"pong"}.
MAX_INCOMING_BYTES = 4_096
# Beside the browsers' WebSockets; connections beyond get 503.
MAX_HTTP_CONNECTIONS = 512
# What is not flushed so long after the end of a connection never will be.
CLOSE_GRACE_S = 5.0
GOODBYE_TIMEOUT_S = 5.0
SHUTDOWN_TIMEOUT_S = 5


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's, but a client that does not read cannot keep its connection."""

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "websocket.close":
            # Sending waits until the client reads; a goodbye to one that does not must not.
            self.writable.set()
        await super().send(message)

    async def run_asgi(self) -> None:
        await super().run_asgi()
        # Closing waits until what was sent is flushed, which may be for ever.
        self.loop.call_later(CLOSE_GRACE_S, self.transport.abort)


class Server(uvicorn.Server):
    """uvicorn's; signals are `run_service`'s."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; ConfigurationError if the address is not to be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(f"port {port} on {host} is taken by another program; set API_PORT") from error
        raise ConfigurationError(f"cannot listen on {host}:{port} ({error}); check API_HOST and API_PORT") from error


async def serve(settings: Settings, stopping: asyncio.Event, triton: HealthProbe, listener: socket.socket) -> None:
    """Serves until `stopping`; then says goodbye to browsers (1001), finishes requests, and returns, within seconds.

    Whatever is away comes and goes without us; ConfigurationError if the database or Redis refuses us.
    """
    async with open_state(settings, triton) as state, asyncio.TaskGroup() as tasks:
        permits = Permits(
            state.metrics,
            at_work=settings.api_requests_at_work,
            waiting=settings.api_requests_waiting,
            wait_s=settings.api_wait_s,
        )
        app = create_app(settings.frontend_dist, state.metrics, permits)
        app.state.undertone = state
        server = Server(
            uvicorn.Config(
                app,
                lifespan="off",
                http="h11",
                ws=WebSocketProtocol,
                ws_max_size=MAX_INCOMING_BYTES,
                ws_per_message_deflate=False,
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=settings.max_websocket_clients + MAX_HTTP_CONNECTIONS,
                timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
            )
        )
        background = [tasks.create_task(work) for work in state.background(stopping)]
        tasks.create_task(server.serve(sockets=[listener]))
        log.info("serving", url="http://{}:{}".format(*listener.getsockname()[:2]))
        await stopping.wait()
        for task in background:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_TIMEOUT_S):
                await state.broadcaster.close()
        server.should_exit = True
    log.info("stopped")
