"""The source `reddit`: what is submitted to some subreddits, and the comments there, by Reddit's official API."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Literal

import msgspec
from asyncprawcore import ReadOnlyAuthorizer, Requestor, Session, TrustedAuthenticator
from asyncprawcore.exceptions import (
    AsyncPrawcoreException,
    Forbidden,
    NotFound,
    OAuthException,
    Redirect,
    ResponseException,
    TooManyRequests,
)

from services.common.errors import ConfigurationError, Transient
from services.common.logging import get_logger
from services.common.messages import Post
from services.common.version import undertone_version
from services.ingester.sources.answers import TIMEOUT_S, TooOften, retry_after_s
from services.ingester.sources.backoff import wait_s
from services.ingester.sources.base import Batch, Malformed, batches_of
from services.ingester.sources.filters import Filters
from services.ingester.sources.given import Given
from services.ingester.sources.health import Health
from services.ingester.sources.reddit.application import Application
from services.ingester.sources.reddit.things import BASE, Page, Reading, read_page, to_base_36

log = get_logger(__name__)

# It warns of each retry; what fails in the end we tell ourselves.
logging.getLogger("asyncprawcore").setLevel(logging.ERROR)

REDDIT_URL = "https://www.reddit.com"
API_URL = "https://oauth.reddit.com"
MAX_SUBREDDITS = 100
# What Reddit gives in one page, at most, and how far it goes back.
PAGE = 100
MAX_PAGES = 10
# For both listings, 60 requests a minute of the 100 that are allowed to an application.
POLL_S = 2.0
# Its library waits for the window in which requests are counted, of ten minutes, when too few are left.
MAX_REQUEST_S = 660.0
TOO_OFTEN_S = 60.0
UNAUTHORIZED = 401

_NAME = re.compile(r"[A-Za-z0-9_]{2,21}")

Kind = Literal["new", "comments"]
KINDS: tuple[Kind, ...] = ("new", "comments")


class _Position(msgspec.Struct):
    """The newest submission and comment, by their numbers in base 36."""

    new: str = ""
    comments: str = ""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Position)


class RedditSource:
    """`subreddits`: their names. A position is how far each of the two listings was read.

    ConfigurationError, at once, if something cannot be meant, or as soon as Reddit does not let us read.
    """

    name = "reddit"

    def __init__(
        self,
        subreddits: Sequence[str],
        application: Application,
        filters: Filters,
        *,
        bots: bool = False,
        urls: tuple[str, str] = (REDDIT_URL, API_URL),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._subreddits = _checked(subreddits)
        self._application = application
        self._filters = filters
        self._bots = bots
        self._urls = urls
        self._clock = clock
        self._given = Given()
        self._was_answered = False
        self.health = Health(self.name, clock=clock)

    async def batches(self, position: str | None = None) -> AsyncGenerator[Batch, None]:
        newest = _decode(position)
        self._given.clear()
        failures = 0
        session = self._session()
        try:
            while True:
                wait = 0.0
                try:
                    for kind in KINDS:
                        readings = await self._read(session, kind, newest[kind])
                        newest[kind] = max([newest[kind], *(each.number for each in readings)])
                        for batch in self._batches(readings, _encode(newest)):
                            yield batch
                        failures = 0
                        await asyncio.sleep(POLL_S / len(KINDS))
                    continue
                except TooOften as error:
                    reason, wait = str(error), error.in_s
                except (TimeoutError, AsyncPrawcoreException, Transient) as error:
                    reason = self._reason(error)
                self.health.failed(reason)
                wait = max(wait, wait_s(failures))
                failures += 1
                log.warning("trying again", source=self.name, reason=reason, in_s=round(wait, 1))
                await asyncio.sleep(wait)
        finally:
            await session.close()

    def _session(self) -> Session:
        user = f" (by /u/{self._application.user})" if self._application.user else ""
        reddit_url, oauth_url = self._urls
        requestor = Requestor(
            user_agent=f"undertone:{undertone_version()}{user}",
            reddit_url=reddit_url,
            oauth_url=oauth_url,
            timeout=TIMEOUT_S,
        )
        authenticator = TrustedAuthenticator(
            client_id=self._application.client_id, client_secret=self._application.secret, requestor=requestor
        )
        return Session(authorizer=ReadOnlyAuthorizer(authenticator=authenticator, scopes=["read"]))

    async def _read(self, session: Session, kind: Kind, newest: int) -> list[Reading]:
        """What is new in a listing, the oldest first; of one that was never read the newest page alone."""
        readings: list[Reading] = []
        after: str | None = None
        is_known = False
        for _ in range(MAX_PAGES):
            page = await self._page(session, kind, after)
            self.health.up()
            readings += page.readings
            # What a moderator lets through late stands behind newer ones, so that all that are known tell nothing.
            is_known = any(0 < each.number <= newest for each in page.readings)
            after = page.after
            if not newest or is_known or after is None:
                break
        if newest and not is_known and len(readings) > PAGE:
            self.health.lost()
            log.error("Reddit does not go back so far: some are missed", source=self.name, listing=kind)
        return readings[::-1]

    async def _page(self, session: Session, kind: Kind, after: str | None) -> Page:
        path = f"/r/{'+'.join(self._subreddits)}/{kind}"
        async with asyncio.timeout(MAX_REQUEST_S):
            try:
                answer = await session.request(method="GET", path=path, params={"limit": PAGE, "after": after})
            except TooManyRequests as error:
                raise TooOften(retry_after_s(error.retry_after, self._clock(), TOO_OFTEN_S)) from None
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                # What the library makes of an answer in which it finds no token.
                raise Transient(f"it answered with no token: {error}") from None
        page = read_page(answer, self._filters, bots=self._bots)
        self._was_answered = True
        return page

    def _reason(self, error: Exception) -> str:
        """In a sentence; ConfigurationError where asking again is of no use."""
        if isinstance(error, TimeoutError):
            return "it did not answer in time"
        status = error.response.status if isinstance(error, ResponseException) else None
        if status == UNAUTHORIZED or isinstance(error, OAuthException):
            raise ConfigurationError(
                "reddit: it does not know the application; check REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET"
            ) from error
        # Once it has answered, it may be a fault that passes.
        if isinstance(error, Forbidden | NotFound | Redirect) and not self._was_answered:
            raise ConfigurationError(
                f"reddit: r/{'+'.join(self._subreddits)} cannot be read ({status}): one of them does not exist, or is "
                "not public; check --subreddit"
            ) from error
        return str(error) or type(error).__name__

    def _batches(self, readings: Sequence[Reading], position: str) -> list[Batch]:
        items: list[Post | Malformed] = []
        for reading in readings:
            # Each page is read again and again, until newer things have pushed it away.
            if self._given.again(reading.key):
                continue
            if isinstance(reading.item, Post):
                self.health.received(reading.item.created_at.timestamp())
                items.append(reading.item)
            elif reading.item is not None:
                items.append(reading.item)
            elif reading.skipped is not None:
                self.health.skipped(reading.skipped)
        return batches_of(items, position)


def _checked(subreddits: Sequence[str]) -> list[str]:
    if len(subreddits) > MAX_SUBREDDITS:
        raise ConfigurationError(f"reddit: at most {MAX_SUBREDDITS} subreddits can be read, not {len(subreddits)}")
    names = [each.strip("/").removeprefix("r/") for each in subreddits]
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"reddit: --subreddit: expected a name as worldnews, not {name!r}")
    return names


def _decode(position: str | None) -> dict[Kind, int]:
    """0 for a listing that was never read."""
    try:
        found = _decoder.decode((position or "{}").encode("utf-8", "replace"))
        return {"new": int(found.new or "0", BASE), "comments": int(found.comments or "0", BASE)}
    except (ValueError, RecursionError):
        return dict.fromkeys(KINDS, 0)


def _encode(newest: dict[Kind, int]) -> str:
    return _encoder.encode({kind: to_base_36(number) for kind, number in newest.items()}).decode()
