"""What a client has already is not sent again: ETag and 304 for the answers of the API, and who may keep what."""

from hashlib import sha256

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATHS = "/api/"
# These are kept for a second by us, too. One browser's tabs and charts ask for them together.
KEPT_FOR_MOMENTS = (
    "/api/sentiment/",
    "/api/emotions/",
    "/api/sources",
    "/api/words/",
)
MOMENTS = "private, max-age=1"
# It may be kept, but is asked for each time: an answer that has not changed is 304, without a body.
ASK_AGAIN = "private, no-cache"
NOT_AT_ALL = "no-store"
# Of 304, which describes what the client has.
_OF_THE_BODY = ("Content-Length", "Content-Type")


class ConditionalGet:
    """Holds the head of an answer until its body is there, whole; a stream goes through as it comes, without an ETag.

    The ETag is weak: it is that of the content, however it is compressed on the way.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATHS):
            await self._app(scope, receive, send)
            return
        held: Message | None = None

        async def send_unless_known(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", _cache_control(scope, message["status"], headers))
                if message["status"] == 200 and scope["method"] in ("GET", "HEAD") and "etag" not in headers:
                    held = message
                    return
            elif held is not None:
                start, held = held, None
                if not message.get("more_body", False):
                    message = _tag(start, message, Headers(scope=scope))
                await send(start)
            await send(message)

        await self._app(scope, receive, send_unless_known)


def _cache_control(scope: Scope, status: int, headers: Headers) -> str:
    # What is out of date already must not get older elsewhere.
    if status != 200 or scope["method"] not in ("GET", "HEAD") or "x-undertone-stale" in headers:
        return NOT_AT_ALL
    return MOMENTS if scope["path"].startswith(KEPT_FOR_MOMENTS) else ASK_AGAIN


def _tag(start: Message, body: Message, asked: Headers) -> Message:
    """Gives the answer its ETag; if the client has it, makes it a 304. The body to send."""
    headers = MutableHeaders(scope=start)
    if headers["Cache-Control"] == NOT_AT_ALL:
        return body
    tag = f'W/"{sha256(body.get("body", b"")).hexdigest()[:32]}"'
    headers["ETag"] = tag
    known = [known.strip() for known in asked.get("If-None-Match", "").split(",")]
    # Compared weakly, as RFC 9110 asks for here.
    if "*" not in known and tag.removeprefix("W/") not in [known.removeprefix("W/") for known in known]:
        return body
    start["status"] = 304
    for name in _OF_THE_BODY:
        del headers[name]
    return {**body, "body": b""}
