"""The source `mastodon`: one server's public posts, of its people and of those whom they follow elsewhere."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import httpx2
import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from services.common.addresses import check_url, is_loopback
from services.common.errors import ConfigurationError, Transient
from services.common.logging import get_logger
from services.common.messages import Post
from services.common.version import undertone_version
from services.ingester.sources.answers import TIMEOUT_S, TooOften, body_of, why
from services.ingester.sources.backoff import wait_s
from services.ingester.sources.base import Batch, Malformed
from services.ingester.sources.given import Given
from services.ingester.sources.health import Health
from services.ingester.sources.mastodon.statuses import Reading, Wanted, read_message, read_status
from services.ingester.sources.messages import receive

log = get_logger(__name__)

# What a server gives in one page, at most.
PAGE = 40
# 300 requests in five minutes are allowed to an address. After a page that is full there may be more; else there is
# time.
NEXT_PAGE_S = 1.1
POLL_S = 3.0
MAX_BODY_BYTES = 10_000_000
MAX_MESSAGE_BYTES = 1_000_000
# Where a server says that it is asked too often, and not until when.
TOO_OFTEN_S = 60.0
MAX_TOO_OFTEN_S = 600.0
# A server that wants to know who asks, or does not let everybody read.
NOT_ALLOWED = frozenset({401, 403, 422})

_pages = msgspec.json.Decoder(list[msgspec.Raw])


class MastodonSource:
    """`instance`: the server, as mastodon.social. A position is the id of a status there.

    With a token by the stream, and what was missed from the timeline; without one from the timeline alone.
    ConfigurationError, at once, if something cannot be meant, or as soon as the server does not let us read.
    """

    def __init__(
        self, instance: str, wanted: Wanted, token: str = "", *, clock: Callable[[], float] = time.time
    ) -> None:
        self._url, self._host = _checked(instance)
        if token and self._url.startswith("http://") and not is_loopback(urlsplit(self._url).hostname or ""):
            raise ConfigurationError("mastodon: MASTODON_TOKEN would travel unencrypted; name the server with https://")
        self._wanted = wanted
        self._token = token
        self._clock = clock
        self._newest: str | None = None
        self._given = Given()
        self._asked_at = float("-inf")
        self.name = f"mastodon:{self._host}"
        self.health = Health(self.name, clock=clock)

    async def batches(self, position: str | None = None) -> AsyncGenerator[Batch, None]:
        self._newest = position
        self._given.clear()
        failures = 0
        headers = {"User-Agent": f"undertone/{undertone_version()}"} | self._authorization
        async with httpx2.AsyncClient(headers=headers, timeout=TIMEOUT_S, follow_redirects=False) as http:
            while True:
                wait = 0.0
                try:
                    async with aclosing(self._streamed(http) if self._token else self._polled(http)) as batches:
                        async for batch in batches:
                            failures = 0
                            yield batch
                except TooOften as error:
                    reason, wait = str(error), error.in_s
                except (OSError, TimeoutError, WebSocketException, httpx2.HTTPError, Transient) as error:
                    reason = self._reason(error)
                self.health.failed(reason)
                wait = max(wait, wait_s(failures))
                failures += 1
                log.warning("trying again", source=self.name, reason=reason, in_s=round(wait, 1))
                await asyncio.sleep(wait)

    @property
    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    async def _streamed(self, http: httpx2.AsyncClient) -> AsyncGenerator[Batch, None]:
        url = f"ws{self._url.removeprefix('http')}/api/v1/streaming?stream=public"
        async with connect(
            url,
            additional_headers=self._authorization,
            compression=None,
            max_size=MAX_MESSAGE_BYTES,
            close_timeout=1.0,
            user_agent_header=f"undertone/{undertone_version()}",
        ) as socket:
            log.info("connected", source=self.name)
            # What was missed. What comes meanwhile waits in the connection.
            async with aclosing(self._missed(http)) as batches:
                async for batch in batches:
                    yield batch
            while True:
                raws = await receive(socket)
                yield self._batch(read_message(raw, self._host, self._wanted) for raw in raws)

    async def _polled(self, http: httpx2.AsyncClient) -> AsyncGenerator[Batch, None]:
        while True:
            async with aclosing(self._missed(http)) as batches:
                async for batch in batches:
                    given_at = time.monotonic()
                    yield batch
                    # Held back: what is due meanwhile comes in larger pages later.
                    self.health.skipped("polls", int((time.monotonic() - given_at) / POLL_S))
            await asyncio.sleep(POLL_S)

    async def _missed(self, http: httpx2.AsyncClient) -> AsyncGenerator[Batch, None]:
        """Page by page; before the first of all, the newest page alone."""
        while True:
            is_first = self._newest is None
            page = await self._page(http)
            self.health.up()
            # A page begins with the newest.
            yield self._batch(read_status(raw, self._host, self._wanted) for raw in reversed(page))
            if is_first or len(page) < PAGE:
                return

    async def _page(self, http: httpx2.AsyncClient) -> list[bytes]:
        await asyncio.sleep(max(self._asked_at + NEXT_PAGE_S - time.monotonic(), 0))
        self._asked_at = time.monotonic()
        after = "" if self._newest is None else f"&min_id={quote(self._newest, safe='')}"
        url = f"{self._url}/api/v1/timelines/public?limit={PAGE}{after}"
        async with asyncio.timeout(TIMEOUT_S), http.stream("GET", url) as answer:
            self._check(answer)
            body = await body_of(answer, MAX_BODY_BYTES)
        try:
            return [bytes(raw) for raw in _pages.decode(body)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Transient(f"it answered with no list of posts: {error}") from None

    def _check(self, answer: httpx2.Response) -> None:
        if answer.status_code == httpx2.codes.TOO_MANY_REQUESTS:
            raise TooOften(_until(answer.headers.get("x-ratelimit-reset"), self._clock()))
        if answer.status_code in NOT_ALLOWED:
            raise self._not_allowed(answer.status_code)
        if answer.status_code != httpx2.codes.OK:
            raise Transient(f"it answered {answer.status_code}")

    def _not_allowed(self, status: int) -> ConfigurationError:
        return ConfigurationError(
            f"mastodon: {self._host} does not let us read its public posts ({status}); set MASTODON_TOKEN to a token "
            "of an account there that may read, or name another --instance"
        )

    def _reason(self, error: Exception) -> str:
        """In a sentence; ConfigurationError where asking again is of no use."""
        if isinstance(error, InvalidStatus):
            if error.response.status_code in NOT_ALLOWED:
                raise self._not_allowed(error.response.status_code) from error
            return f"it answered {error.response.status_code}"
        return why(error)

    def _batch(self, readings: Iterable[Reading]) -> Batch:
        items: list[Post | Malformed] = []
        deleted: list[str] = []
        for reading in readings:
            if reading.status_id is not None:
                self._newest = reading.status_id
            if isinstance(reading.item, Post):
                self.health.received(reading.item.created_at.timestamp())
                if self._given.again(reading.item.post_id):
                    self.health.skipped("repeated")
                else:
                    items.append(reading.item)
            elif reading.item is not None:
                items.append(reading.item)
            elif reading.deleted is not None:
                deleted.append(reading.deleted)
            elif reading.skipped is not None:
                self.health.skipped(reading.skipped)
        return Batch(items, deleted, self._newest)


def _checked(instance: str) -> tuple[str, str]:
    """Its URL, and its host as it is named in ids."""
    url = instance.rstrip("/") if "://" in instance else f"https://{instance.rstrip('/')}"
    expected = "a host as mastodon.social"
    try:
        check_url(url, expected)
    except ValueError as error:
        raise ConfigurationError(f"mastodon: --instance: {error}") from None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query or parts.username:
        raise ConfigurationError(f"mastodon: --instance: expected {expected}, not {instance!r}")
    return url, parts.netloc.lower()


def _until(reset: str | None, now_s: float) -> float:
    """Seconds until a moment in ISO 8601, within bounds."""
    try:
        moment = datetime.fromisoformat(reset or "")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return min(max(moment.timestamp() - now_s, NEXT_PAGE_S), MAX_TOO_OFTEN_S)
    except (ValueError, OverflowError):
        return TOO_OFTEN_S
