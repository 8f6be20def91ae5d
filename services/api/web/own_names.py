"""Whether we are called by a name of ours, where no key is asked for.

Anybody can let a name of theirs lead to an address of ours (DNS rebinding), and a browser then takes us for their site.
"""

from collections.abc import Set
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from services.api.web.problems import error_answer

SENTENCE = "This name could be anybody's: ask by address, set API_KEYS, or name its origin in CORS_ORIGINS."


def is_own_name(host: str, origins: Set[str]) -> bool:
    """Of the header Host, whether nobody else can have made that name lead to us; an address is no name.

    Names without a dot are of this machine or this network; those of `origins` (CORS_ORIGINS) are trusted already.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if "." not in name or name.endswith(".localhost"):
        return True
    return _is_address(name) or name in {urlsplit(origin).hostname for origin in origins}


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class OwnNames:
    """Reading and live connections as well: to the browser such a page is one of ours."""

    def __init__(self, app: ASGIApp, origins: Set[str]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and not is_own_name(Headers(scope=scope).get("host", ""), self._origins):
            await error_answer(scope, 421, SENTENCE)(scope, receive, send)
            return
        await self._app(scope, receive, send)
