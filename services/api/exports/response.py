"""The answer that is a file of posts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.api.exports.formats import Format
from services.api.exports.reading import Reader
from services.api.exports.slots import Slots
from services.api.schemas.general import Post
from services.common.errors import Transient
from services.common.logging import get_logger

log = get_logger(__name__)

# Who reads on, but so slowly, must not hold a slot for ever. A hundred thousand posts take a reader of 1 Mbit/s 5 min.
MAX_DOWNLOAD_S = 900.0
CUT_HEADER = "X-Undertone-Cut"


class ExportResponse(StreamingResponse):
    """Has its slot, its first posts and what is known of the others before it begins: until then errors are answers.

    Afterwards there is no status any more to tell of an error: the file is broken off, and the connection with it.
    """

    def __init__(
        self, reader: Reader, slots: Slots, format_: Format, filename: str, is_cut: Callable[[], Awaitable[bool | None]]
    ) -> None:
        headers = {
            "Content-Disposition": f'attachment; filename="{filename}"',
            "Cache-Control": "no-store",
        }
        super().__init__(self._pieces(), headers=headers, media_type=format_.media_type)
        self._reader = reader
        self._slots = slots
        self._format = format_
        self._is_cut = is_cut
        self._first: list[Post] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._slots.one():
            self._first = await self._reader.first()
            self.headers[CUT_HEADER] = {True: "yes", False: "no", None: "unknown"}[await self._is_cut()]
            if scope["method"] == "HEAD":
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send({"type": "http.response.body"})
                return
            await super().__call__(scope, receive, send)

    async def _pieces(self) -> AsyncIterator[bytes]:
        are_first = not self._first
        yield self._format.begin + self._format.rows(self._first, are_first=True)
        async for posts in self._reader.others():
            if posts:
                yield self._format.rows(posts, are_first=are_first)
                are_first = False
        yield self._format.end

    async def stream_response(self, send: Send) -> None:
        """Returns without having completed the answer where it cannot be: the server ends the connection then."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async with asyncio.timeout(MAX_DOWNLOAD_S):
                async for piece in self.body_iterator:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        except (Transient, TimeoutError) as error:
            log.warning("export_broken_off", reason=str(error) or f"it took more than {MAX_DOWNLOAD_S:g} s")
            await send({"type": "http.response.body", "body": self._format.broken, "more_body": True})
            return
        await send({"type": "http.response.body"})
