"""The source `rss`: one feed, asked again after some minutes."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

import httpx2
import msgspec

from services.common.addresses import check_url
from services.common.errors import ConfigurationError, Transient
from services.common.logging import get_logger
from services.common.messages import Post
from services.common.version import undertone_version
from services.ingester.sources.answers import TIMEOUT_S, TooOften, body_of, check_ok, why
from services.ingester.sources.base import Batch, batches_of
from services.ingester.sources.filters import Filters
from services.ingester.sources.health import Health
from services.ingester.sources.rss.documents import Document, read_document
from services.ingester.sources.rss.position import Position, decode, encode

log = get_logger(__name__)

MAX_BODY_BYTES = 2_000_000
# A server that sends a little now and then is not waited for without end.
MAX_REQUEST_S = 60.0
MAX_REDIRECTS = 5
# It is the source's name, too.
MAX_URL_CHARS = 2_000
# So much later than is due, by chance: feeds that are asked together shall not stay together.
JITTER = 0.2
# Of failures in a row: sixteen times the interval, at most.
DOUBLINGS = 4
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class _Answer(msgspec.Struct, frozen=True):
    body: bytes
    content_type: str
    etag: str | None
    modified: str | None


class FeedSource:
    """`url`: of a feed of RSS or Atom. A position is what was given of it, and what its server calls its version.

    ConfigurationError, at once, if the address cannot be meant, or as soon as the server says that the feed is gone.
    """

    def __init__(
        self, url: str, filters: Filters, interval_s: float, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._url = _checked(url)
        self._filters = filters
        self._interval_s = interval_s
        self._clock = clock
        self.name = f"rss:{url.partition('://')[2]}"
        self.health = Health(self.name, clock=clock)

    async def batches(self, position: str | None = None) -> AsyncGenerator[Batch, None]:
        at = decode(position)
        failures = 0
        headers = {"User-Agent": f"undertone/{undertone_version()}"}
        async with httpx2.AsyncClient(headers=headers, timeout=TIMEOUT_S, follow_redirects=False) as http:
            while True:
                wait_s = self._interval_s
                try:
                    answer = await self._ask(http, at)
                    self.health.up()
                    if answer is not None:
                        document = await self._read(answer, at)
                        at = at.after(answer.etag, answer.modified, document.keys)
                        for batch in self._batches(document, encode(at)):
                            yield batch
                    failures = 0
                except (OSError, TimeoutError, httpx2.HTTPError, Transient) as error:
                    self.health.failed(why(error))
                    wait_s *= 2 ** min(failures, DOUBLINGS)
                    failures += 1
                    if isinstance(error, TooOften):
                        wait_s = max(wait_s, error.in_s)
                    log.warning("trying again", source=self.name, reason=why(error), in_s=round(wait_s, 1))
                await asyncio.sleep(wait_s * random.uniform(1.0, 1.0 + JITTER))

    async def _ask(self, http: httpx2.AsyncClient, at: Position) -> _Answer | None:
        """None where it has not changed."""
        headers = {"If-None-Match": at.etag, "If-Modified-Since": at.modified}
        url = self._url
        async with asyncio.timeout(MAX_REQUEST_S):
            for _ in range(1 + MAX_REDIRECTS):
                async with http.stream("GET", url, headers={k: v for k, v in headers.items() if v}) as answer:
                    if answer.status_code == httpx2.codes.NOT_MODIFIED:
                        return None
                    if answer.status_code == httpx2.codes.GONE:
                        raise ConfigurationError(f"rss: {url} is gone, as its server says; do without it")
                    if answer.status_code not in REDIRECTS:
                        check_ok(answer, self._clock(), self._interval_s)
                        body = await body_of(answer, MAX_BODY_BYTES)
                        kind, etag = answer.headers.get("content-type", ""), answer.headers.get("etag")
                        return _Answer(body, kind, etag, answer.headers.get("last-modified"))
                url = await _redirected(url, answer.headers.get("location", ""))
        raise Transient(f"it redirects more than {MAX_REDIRECTS} times")

    async def _read(self, answer: _Answer, at: Position) -> Document:
        known = frozenset(at.keys)
        now = datetime.fromtimestamp(self._clock(), UTC)
        # In a thread: a large feed takes a second.
        document = await asyncio.to_thread(
            read_document,
            answer.body,
            answer.content_type,
            feed_name=self.name,
            filters=self._filters,
            known=known,
            now=now,
        )
        if document.left:
            log.warning("the feed has more entries than are read", source=self.name, left=document.left)
        if known and document.keys and known.isdisjoint(document.keys):
            self.health.lost()
            log.error("the feed has none of the entries of before: there may have been others", source=self.name)
        for reading in document.new:
            # What a feed has when it is first read tells nothing of how far we are behind.
            if known and isinstance(reading.item, Post):
                self.health.received(reading.item.created_at.timestamp())
            elif reading.skipped is not None:
                self.health.skipped(reading.skipped)
        return document

    def _batches(self, document: Document, position: str) -> list[Batch]:
        items = [reading.item for reading in document.new if reading.item is not None]
        return batches_of(items, position)


def _checked(url: str) -> str:
    if not _is_http(url):
        # Without a password.
        shown = url[:MAX_URL_CHARS].rpartition("@")[2]
        raise ConfigurationError(f"rss: --feed: expected an address as https://news.example/feed.xml, not {shown!r}")
    return url


def _is_http(url: str) -> bool:
    """Whether it is an address of HTTP that can be asked, without a password."""
    try:
        check_url(url, "an address")
        httpx2.URL(url)
        parts = urlsplit(url)
    except (ValueError, httpx2.InvalidURL):
        return False
    is_known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    return is_known and len(url) <= MAX_URL_CHARS


async def _redirected(url: str, location: str) -> str:
    """The address that an answer names. Transient where it is none that a feed may lead to: who wrote the feed shall
    not have us ask what only this machine's network reaches, unless the feed is there itself.
    """
    try:
        target = urljoin(url, location)
    except ValueError:
        target = ""
    if not location or not _is_http(target):
        raise Transient("it redirects to what is no address of HTTP")
    before, after = urlsplit(url), urlsplit(target)
    if before.scheme == "https" and after.scheme == "http":
        raise Transient("it redirects from https to http; name that address with --feed, if it shall be read")
    leaves = after.hostname != before.hostname
    if leaves and not await _is_public(after.hostname or "") and await _is_public(before.hostname or ""):
        raise Transient("it redirects to an address that is not public; name that with --feed, if it shall be read")
    return target


async def _is_public(host: str) -> bool:
    found = await asyncio.get_running_loop().getaddrinfo(host, None)
    return all(ip_address(str(address[4][0]).partition("%")[0]).is_global for address in found)
