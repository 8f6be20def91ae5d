"""Small applications, and clients that talk to them without a server."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


def answering(
    body: bytes = b"{}", status: int = 200, media_type: str = "application/json", headers: Mapping[str, str] = {}
) -> ASGIApp:
    """Gives every request the same answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(body, status, headers, media_type)(scope, receive, send)

    return app


def failing(error: Exception) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return app


@asynccontextmanager
async def client_of(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
