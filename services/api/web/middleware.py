"""Around every request: security headers, the metrics by route, and an answer also where we fail."""

from time import perf_counter

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.metrics import ApiMetrics
from services.api.web.access_log import log_request
from services.api.web.problems import error_answer
from services.common.logging import get_logger

log = get_logger(__name__)

# 'self' covers the WebSocket of the same host too (CSP level 3). Charts set styles on their elements.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class RequestMetrics:
    """Counts, times and logs requests by the template of their route: paths are without number, templates are few."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500  # what the server answers if we end without an answer
        sent_bytes = 0

        async def send_and_note(message: Message) -> None:
            nonlocal status, sent_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                sent_bytes += len(message.get("body", b""))
            await send(message)

        self._metrics.requests_in_flight.inc()
        started_at = perf_counter()
        try:
            await self._app(scope, receive, send_and_note)
        finally:
            self._metrics.requests_in_flight.dec()
            duration_s = perf_counter() - started_at
            method = scope["method"] if scope["method"] in METHODS else "other"
            route = _route_of(scope, status)
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.request_seconds.labels(method, route).observe(duration_s)
            self._metrics.response_bytes.labels(route).observe(sent_bytes)
            log_request(scope, method=method, route=route, status=status, duration_s=duration_s, sent_bytes=sent_bytes)


def _route_of(scope: Scope, status: int) -> str:
    """The template; a word for those who never came to a route."""
    template: str | None = getattr(scope.get("route"), "path", None)
    if template:
        return template
    if scope["method"] == "OPTIONS" and status in (200, 400):
        return "preflight"
    return "refused" if status in (401, 403, 421, 429) else "dashboard"


class InternalErrors:
    """What nobody expected is in the log, with its traceback; it is nothing for a client."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            if scope["type"] != "http" or has_started:
                # The server ends the connection, and logs the traceback; it does not know the id.
                log.error("connection_failed", path=scope["path"], reason=repr(error))
                raise
            log.exception("internal_error", path=scope["path"])
            await error_answer(scope, 500, "Internal error.")(scope, receive, send)
