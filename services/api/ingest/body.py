"""The body of a request with posts: one, an array of them, or a line each; a stream is never whole in memory."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from hashlib import sha256
from typing import TypeAlias

import msgspec
from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

from services.api.web.errors import InvalidParameter
from services.api.web.protocols import UPLOAD_TIMEOUT_S
from services.ingester.sources.files.lines import MAX_LINE_BYTES

JSON = "application/json"
NDJSON = "application/x-ndjson"
_NDJSON_NAMES = frozenset({NDJSON, "application/ndjson", "application/jsonl", "application/x-jsonlines"})

Raw: TypeAlias = bytes | msgspec.Raw
_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])


class Body:
    """`is_stream`: a post a line, published line by line; else all of it is here before anything is done."""

    def __init__(self, request: Request, *, max_bytes: int, max_stream_bytes: int) -> None:
        """HTTPException (415) if it is of another type."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        self.is_stream = media_type in _NDJSON_NAMES
        if media_type != JSON and not self.is_stream:
            raise HTTPException(415, f"Send {JSON}, or {NDJSON} with a post a line.")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise HTTPException(415, "Send it unpacked, without Content-Encoding.")
        self._request = request
        self._max_bytes = max_stream_bytes if self.is_stream else max_bytes
        self._bytes = 0
        self._digest = sha256(b"stream\n" if self.is_stream else b"whole\n")

    @property
    def fingerprint(self) -> str:
        """Of all that was read, and of how: bodies with the same one have the same answer."""
        return self._digest.hexdigest()

    async def pieces(self) -> AsyncIterator[bytes]:
        """What comes, as it comes. HTTPException if that is too much, too slow, or breaks off."""
        stream = self._request.stream()
        deadline = asyncio.get_running_loop().time() + UPLOAD_TIMEOUT_S
        while (piece := await _next(stream, deadline)) is not None:
            self._bytes += len(piece)
            if self._bytes > self._max_bytes:
                raise HTTPException(413, f"The body has more than {self._max_bytes:,} bytes.")
            self._digest.update(piece)
            yield piece


async def _next(stream: AsyncGenerator[bytes, None], deadline: float) -> bytes | None:
    try:
        async with asyncio.timeout_at(deadline):
            return await anext(stream, None)
    except TimeoutError:
        raise HTTPException(408, f"The body did not come within {UPLOAD_TIMEOUT_S:g} seconds.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The body ended early.") from None


async def read_whole(body: Body) -> tuple[Sequence[Raw], bool]:
    """The items of an array, or the one item that there is; whether it was an array. InvalidParameter if neither."""
    raw = b"".join([piece async for piece in body.pieces()])
    if not raw.lstrip().startswith(b"["):
        return [raw], False
    try:
        return _array_decoder.decode(raw), True
    except UnicodeDecodeError as error:
        raise InvalidParameter(f"body: it is not UTF-8: {error.reason}") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidParameter(f"body: it is no JSON: {error}") from None


async def read_lines(body: Body, at_once: int) -> AsyncIterator[Sequence[Raw]]:
    """The lines that each piece completes, `at_once` at most and without blank ones; of a line that is too long a byte
    more than may be.
    """
    lines = Lines()
    async for piece in body.pieces():
        found = lines.add(piece)
        for start in range(0, len(found), at_once):
            yield found[start : start + at_once]
    if last := lines.add(b"\n"):
        yield last


class Lines:
    """Cuts what comes in pieces at its line ends."""

    def __init__(self) -> None:
        self._line = bytearray()

    def add(self, piece: bytes) -> list[bytes]:
        first, *others = piece.split(b"\n")
        self._extend(first)
        found: list[bytes] = []
        for part in others:
            if self._line.strip():
                found.append(bytes(self._line))
            self._line.clear()
            self._extend(part)
        return found

    def _extend(self, part: bytes) -> None:
        self._line += part[: MAX_LINE_BYTES + 1 - len(self._line)]
