"""CORS: whose pages may read our answers. Without CORS_ORIGINS only our own, and nothing of this is there."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.web.problems import error_answer

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
# No cookies: a page of another origin has a key of its own.
REQUEST_HEADERS = ("Authorization", "If-None-Match", "X-API-Key", "X-Request-ID")
# Beside what every page may read. A page that is to come again later has to see when.
ANSWER_HEADERS = (
    "Allow",
    "Content-Disposition",
    "ETag",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-ID",
    "X-Undertone-Stale",
)
# Browsers ask again after it; what they remember is not taken back before.
MAX_AGE_S = 600


class CrossOrigin(CORSMiddleware):
    """Starlette's, with problem details where it refuses."""

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=REQUEST_HEADERS,
            expose_headers=ANSWER_HEADERS,
            max_age=MAX_AGE_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            if "origin" in headers and "access-control-request-method" in headers:
                await self._preflight(scope, headers)(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    def _preflight(self, scope: Scope, request_headers: Headers) -> Response:
        answer = self.preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        kept = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        return error_answer(
            scope, answer.status_code, f"{bytes(answer.body).decode()}; see CORS_ORIGINS.", headers=kept
        )
