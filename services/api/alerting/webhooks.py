"""The receivers of ALERT_WEBHOOKS: one attempt to send a message to one of them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from uuid import UUID

import httpx2

# From the first byte to the answer's head. A receiver that is slower may have taken the message, and gets it again.
ATTEMPT_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 5.0
DELIVERY_HEADER = "X-Undertone-Delivery"
# An address of a webhook is a secret, and the library writes it into a line for each request.
logging.getLogger("httpx2").setLevel(logging.WARNING)

# Answers that say: not now, rather than: not this.
_LATER = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Outcome:
    """`error`: None if the receiver took the message, else a sentence without its address.

    `is_down`: the next message would fare no better. `retry_after_s`: what the receiver asks for.
    """

    error: str | None
    status: int | None = None
    is_down: bool = False
    retry_after_s: float | None = None


class Webhooks:
    """Sends to receivers by their names."""

    def __init__(self, urls: Mapping[str, str], client: httpx2.AsyncClient) -> None:
        self._urls = urls
        self._client = client

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._urls)

    async def send(self, name: str, key: UUID, body: str) -> Outcome:
        """Never raises, but a KeyError for an unknown name. The answer's body is not read."""
        url = self._urls[name]
        headers = {"Content-Type": "application/json", "User-Agent": "Undertone", DELIVERY_HEADER: str(key)}
        try:
            async with (
                asyncio.timeout(ATTEMPT_TIMEOUT_S),
                self._client.stream("POST", url, content=body.encode(), headers=headers) as response,
            ):
                return _outcome(response)
        except (TimeoutError, httpx2.TimeoutException):
            return Outcome(f"no answer within {ATTEMPT_TIMEOUT_S:g} s", is_down=True)
        except httpx2.ConnectError:
            return Outcome("no connection", is_down=True)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            # Its message may have the address in it.
            return Outcome(f"the connection broke ({type(error).__name__})", is_down=True)


@asynccontextmanager
async def open_webhooks(urls: Mapping[str, str]) -> AsyncIterator[Webhooks]:
    """Redirects are not followed: whoever answers for a receiver must not name another."""
    timeout = httpx2.Timeout(ATTEMPT_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    async with httpx2.AsyncClient(timeout=timeout, follow_redirects=False) as client:
        yield Webhooks(urls, client)


def _outcome(response: httpx2.Response) -> Outcome:
    status = response.status_code
    if response.is_success:
        return Outcome(None, status)
    hint = "; redirects are not followed" if response.is_redirect else ""
    retry_after_s = read_retry_after(response.headers.get("retry-after"), datetime.now(UTC))
    is_down = status >= 500 or status in _LATER
    return Outcome(f"the receiver answered {status}{hint}", status, is_down, retry_after_s)


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds, from either form of the header; None where it is neither."""
    if value is None:
        return None
    if value.isascii() and value.strip().isdecimal():
        return float(value.strip()[:9])
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(0.0, (moment - now).total_seconds())
