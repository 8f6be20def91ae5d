"""The source `bluesky`: goes on where it was, whatever server it finds."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import cycle
from urllib.parse import urlencode, urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from services.common.addresses import check_url
from services.common.errors import ConfigurationError
from services.common.logging import get_logger
from services.common.messages import Post
from services.common.version import undertone_version
from services.ingester.sources.backoff import wait_s
from services.ingester.sources.base import Batch
from services.ingester.sources.bluesky.events import POSTS, read
from services.ingester.sources.filters import Filters
from services.ingester.sources.given import Given
from services.ingester.sources.health import Health, Reason
from services.ingester.sources.messages import receive

log = get_logger(__name__)

# Bluesky's own; all have the same events, each with times of its own that differ by a moment.
HOSTS = tuple(f"wss://jetstream{n}.us-{coast}.bsky.network" for n in (1, 2) for coast in ("east", "west"))
# Where it goes on before the newest event that it has: events may come out of order, and from a server whose clock is
# another one. What comes twice has the same id.
RESUME_EARLIER_S = 5.0
# What servers keep; of an older cursor they make that one without a word.
LOOKBACK_S = 36 * 3_600.0
# The first event after the one that we asked for comes so soon, where all the network's posts are wanted.
GAP_S = 60.0
# Nothing at all for so long, where something comes many times a second: this server has lost its own source.
SILENCE_S = 60.0
# Larger messages would end the connection, and come again after it: the server is told to leave them out.
MAX_MESSAGE_BYTES = 1_000_000
# Servers take 10,000, in a message of its own; of so many the address has a length that every proxy lets pass.
MAX_ACCOUNTS = 100
BAD_OPTIONS = 400
# Of microseconds until the year 9999.
MAX_DIGITS = 18


class BlueskySource:
    """Posts as they are written, and the ids of deleted ones; a position is the time of an event in microseconds.

    `accounts`: DIDs whose posts are wanted; none: everybody's. ConfigurationError, at once, if something cannot be
    meant, or as soon as a server refuses the options.
    """

    name = "bluesky"

    def __init__(
        self,
        filters: Filters,
        accounts: Sequence[str] = (),
        hosts: Sequence[str] = (),
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if len(accounts) > MAX_ACCOUNTS:
            raise ConfigurationError(f"bluesky: at most {MAX_ACCOUNTS} accounts can be asked for, not {len(accounts)}")
        for account in accounts:
            if not account.startswith("did:"):
                raise ConfigurationError(
                    f"bluesky: an account is a DID, as did:plc:z72i7hdynmk6r22z27h6tvur, not {account!r}"
                )
        # Those who started together need not all ask the same server.
        self._hosts = [_checked(host) for host in hosts] or random.sample(HOSTS, len(HOSTS))
        self._filters = filters
        self._accounts = accounts
        self._clock = clock
        self._newest_us: int | None = None
        self._may_have_gap = False
        self._given = Given()
        self.health = Health(self.name, clock=clock)

    async def batches(self, position: str | None = None) -> AsyncGenerator[Batch, None]:
        self._newest_us = _position(position, self._now_us())
        self._given.clear()
        failures = 0
        for host in cycle(self._hosts):
            try:
                async with connect(
                    self._url(host),
                    compression=None,
                    max_size=MAX_MESSAGE_BYTES,
                    close_timeout=1.0,
                    user_agent_header=f"undertone/{undertone_version()}",
                ) as socket:
                    self._connected(host)
                    while True:
                        batch = self._read(await receive(socket, None if self._accounts else SILENCE_S))
                        failures = 0
                        yield batch
            except (OSError, TimeoutError, WebSocketException) as error:
                reason = _reason(error)
            self.health.failed(f"{host}: {reason}")
            wait = wait_s(failures)
            failures += 1
            log.warning("trying another server", source=self.name, host=host, reason=reason, in_s=round(wait, 1))
            await asyncio.sleep(wait)

    def _url(self, host: str) -> str:
        options: list[tuple[str, str | int]] = [
            ("wantedCollections", POSTS),
            ("maxMessageSizeBytes", MAX_MESSAGE_BYTES),
            *(("wantedDids", account) for account in self._accounts),
        ]
        if self._newest_us is not None:
            options.append(("cursor", max(self._newest_us - int(RESUME_EARLIER_S * 1e6), 0)))
        return f"{host}/subscribe?{urlencode(options)}"

    def _connected(self, host: str) -> None:
        self.health.up()
        log.info("connected", source=self.name, host=host)
        if self._newest_us is None:
            # So that it misses nothing if this connection ends before its first event.
            self._newest_us = self._now_us()
        elif self._now_us() - self._newest_us > LOOKBACK_S * 1e6:
            self._lost(self._newest_us)
        else:
            self._may_have_gap = not self._accounts

    def _read(self, raws: Sequence[bytes]) -> Batch:
        items, deleted, authors = [], [], []
        skipped: Counter[Reason] = Counter()
        newest_us, now_us = self._newest_us or 0, self._now_us()
        for raw in raws:
            reading = read(raw, self._filters)
            if reading.time_us is not None:
                if self._may_have_gap:
                    self._may_have_gap = False
                    if reading.time_us - newest_us > GAP_S * 1e6:
                        self._lost(newest_us)
                # A cursor in the future would mean: from now on.
                newest_us = max(newest_us, min(reading.time_us, now_us))
            if isinstance(reading.item, Post) and self._given.again(reading.item.post_id):
                skipped["repeated"] += 1
            elif reading.item is not None:
                items.append(reading.item)
            elif reading.deleted is not None:
                deleted.append(reading.deleted)
            elif reading.deleted_author is not None:
                authors.append(reading.deleted_author)
            elif reading.skipped is not None:
                skipped[reading.skipped] += 1
        for reason, count in skipped.items():
            self.health.skipped(reason, count)
        self._newest_us = newest_us
        self.health.received(newest_us / 1e6)
        return Batch(items, deleted, str(newest_us), authors)

    def _lost(self, since_us: int) -> None:
        self.health.lost()
        log.error(
            "the server does not have all that was missed",
            source=self.name,
            away_s=round(self._clock() - since_us / 1e6),
        )

    def _now_us(self) -> int:
        return int(self._clock() * 1e6)


def _checked(host: str) -> str:
    host = host.rstrip("/")
    expected = "wss://host, or ws://host:port for a server of your own"
    try:
        check_url(host, expected)
    except ValueError as error:
        raise ConfigurationError(f"bluesky: a server is {error}") from None
    parts = urlsplit(host)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.path or parts.query:
        raise ConfigurationError(f"bluesky: a server is {expected}, not {host!r}")
    return host


def _position(position: str | None, now_us: int) -> int | None:
    """None also for what no version of ours has written."""
    if not position or not position.isascii() or not position.isdecimal() or len(position) > MAX_DIGITS:
        return None
    return min(int(position), now_us)


def _reason(error: Exception) -> str:
    """In a sentence; ConfigurationError where asking another server is of no use."""
    if isinstance(error, InvalidStatus):
        status, said = (
            error.response.status_code,
            bytes(error.response.body or b"")[:200].decode("utf-8", "replace").strip(),
        )
        if status == BAD_OPTIONS:
            raise ConfigurationError(f"bluesky: the server refuses our options: {said}") from error
        return f"it answered {status}"
    if isinstance(error, TimeoutError):
        return "nothing came for too long"
    return str(error) or type(error).__name__
