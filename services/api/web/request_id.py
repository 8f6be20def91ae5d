"""A name for each request and each live connection: in the answer, in every line of the log, in problems."""

import re
import secrets

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
# What gateways and tracers send. Nothing else comes into our log: no line breaks, no novels.
_SANE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def new_request_id() -> str:
    """Sixteen hexadecimal digits."""
    return secrets.token_hex(8)


def current_request_id() -> str | None:
    """That of the request which this task works for; None outside of any."""
    return structlog.contextvars.get_contextvars().get("request_id")


class RequestIds:
    """Takes the id that the client sent, if it is sane, else makes one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = Headers(scope=scope).get(HEADER, "")
        request_id = sent if _SANE.fullmatch(sent) else new_request_id()

        async def send_with_id(message: Message) -> None:
            # A live connection hears it with the handshake.
            if message["type"] in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
                message.setdefault("headers", [])
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        # Tasks that the request starts, a shared computation for instance, carry it along.
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app(scope, receive, send_with_id)
