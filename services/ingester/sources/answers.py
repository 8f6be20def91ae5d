"""What sources that ask over HTTP have in common."""

import logging
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx2

from services.common.errors import Transient

# It writes a line for each request.
logging.getLogger("httpx2").setLevel(logging.WARNING)

TIMEOUT_S = 20.0
# What a server can make us wait for, at most.
MAX_RETRY_AFTER_S = 86_400.0
# Where a server says that it is asked too often, or has too much to do; both may name a time.
COME_LATER = frozenset({httpx2.codes.TOO_MANY_REQUESTS, httpx2.codes.SERVICE_UNAVAILABLE})


class TooOften(Transient):
    """`in_s`: how long the server is to be left alone."""

    def __init__(self, in_s: float) -> None:
        super().__init__("it is asked too often")
        self.in_s = in_s


async def body_of(answer: httpx2.Response, max_bytes: int) -> bytes:
    """Transient if it is longer; of what is longer no more is read."""
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > max_bytes:
            raise Transient(f"it answered with more than {max_bytes:,} bytes")
    return bytes(body)


def check_ok(answer: httpx2.Response, now_s: float, otherwise_s: float) -> None:
    """TooOften, for `otherwise_s` where the server names no time; Transient at all else that is not 200."""
    if answer.status_code in COME_LATER:
        raise TooOften(retry_after_s(answer.headers.get("retry-after"), now_s, otherwise_s))
    if answer.status_code != httpx2.codes.OK:
        raise Transient(f"it answered {answer.status_code}")


def retry_after_s(text: str | None, now_s: float, otherwise_s: float) -> float:
    """Of a header Retry-After, in seconds or a date; at most MAX_RETRY_AFTER_S."""
    text = (text or "").strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), MAX_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max(moment.timestamp() - now_s, 0.0), MAX_RETRY_AFTER_S)
    except (ValueError, OverflowError):
        return otherwise_s


def why(error: Exception) -> str:
    """Why nothing came, in a sentence."""
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return "it did not answer in time"
    return str(error) or type(error).__name__
