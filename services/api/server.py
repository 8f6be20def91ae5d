"""The web server: its port, its limits, its orderly end."""

import asyncio
import errno
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn

from services.api.access.callers import Callers
from services.api.app import create_app
from services.api.state import Inference, open_state
from services.api.web.admission import Permits
from services.api.web.protocols import MAX_INCOMING_BYTES, MAX_TURNED_AWAY, HttpProtocol, WebSocketProtocol
from services.common.addresses import is_loopback
from services.common.errors import ConfigurationError
from services.common.logging import get_logger
from services.common.settings import Settings

log = get_logger(__name__)

# Beside the browsers' WebSockets; connections beyond get 503.
MAX_HTTP_CONNECTIONS = 512
# Of this process beside the connections to it.
OTHER_FILES = 200
GOODBYE_TIMEOUT_S = 5.0
SHUTDOWN_TIMEOUT_S = 5


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


def allow_open_files(count: int) -> None:
    """Each connection is one, and many machines allow a process 1,024 unless it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (count if hard == resource.RLIM_INFINITY else min(count, hard), hard)
        )


async def serve(settings: Settings, stopping: asyncio.Event, inference: Inference, listener: socket.socket) -> None:
    """Serves until `stopping`; then says goodbye to browsers (1001), finishes requests, and returns, within seconds.

    Whatever is away comes and goes without us; ConfigurationError if the database or Redis refuses us.
    """
    if not settings.known_keys and not is_loopback(settings.api_host):
        log.warning("api_without_keys", host=settings.api_host, advice="everybody who reaches it may do all; API_KEYS")
    max_connections = settings.max_websocket_clients + MAX_HTTP_CONNECTIONS
    allow_open_files(max_connections + MAX_TURNED_AWAY + OTHER_FILES)
    async with open_state(settings, inference) as state, asyncio.TaskGroup() as tasks:
        permits = Permits(
            state.metrics,
            at_work=settings.api_requests_at_work,
            waiting=settings.api_requests_waiting,
            wait_s=settings.api_wait_s,
        )
        callers = Callers(
            settings.known_keys,
            requests_per_minute=settings.api_requests_per_minute,
            websockets_per_client=settings.api_websockets_per_client,
        )
        app = create_app(
            settings.frontend_dist,
            state.metrics,
            permits,
            other_origins=settings.allowed_origins,
            callers=callers,
            proxy_hops=settings.api_proxy_hops,
        )
        app.state.undertone = state
        server = Server(
            uvicorn.Config(
                app,
                lifespan="off",
                http=HttpProtocol,
                ws=WebSocketProtocol,
                ws_max_size=MAX_INCOMING_BYTES,
                ws_per_message_deflate=False,
                access_log=False,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=max_connections,
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
