"""Whether a request is ours: browsers let any page open a WebSocket, and send simple requests, to any server."""

import re
from collections.abc import Set

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.web.problems import TEI_PATH, error_answer

# They compute and change nothing: text-embeddings-inference answers whoever asks, too. A page of another site cannot
# send JSON without asking first all the same.
HARMLESS = re.compile(rf"/api/analyze|{TEI_PATH.pattern}")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def is_allowed_origin(headers: Headers, others: Set[str]) -> bool:
    """Whether a page of this host asks, one of `others` (CORS_ORIGINS), or something that is no browser."""
    origin = headers.get("origin")
    return origin is None or origin.lower() in others or _is_own(origin.lower(), headers.get("host", "").lower())


def _is_own(origin: str, host: str) -> bool:
    scheme, _, origin_host = origin.partition("://")
    default_port = {"http": ":80", "https": ":443"}.get(scheme)
    # Browsers leave the default port out of Origin; a client's Host may have it.
    return default_port is not None and bool(host) and origin_host == host.removesuffix(default_port)


class OriginGuard:
    """No page of another site changes anything here, whatever the route: also without a body, which needs no asking.

    Reading needs no guard: a browser shows such a page no answer that does not say it may.
    """

    def __init__(self, app: ASGIApp, others: Set[str]) -> None:
        self._app = app
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_changing = scope["type"] == "http" and scope["method"] not in SAFE_METHODS
        is_changing = is_changing and not HARMLESS.fullmatch(scope["path"])
        if is_changing and not is_allowed_origin(Headers(scope=scope), self._others):
            refusal = error_answer(scope, 403, "Only pages of this server, and of CORS_ORIGINS, may do that.")
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)
