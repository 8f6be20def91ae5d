"""The source `hackernews`: its items one after the other, from where it was to the newest that there is."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Annotated

import httpx2
import msgspec

from services.common.errors import Transient
from services.common.logging import get_logger
from services.common.messages import Post
from services.common.version import undertone_version
from services.ingester.sources.answers import TIMEOUT_S, TooOften, body_of, check_ok, why
from services.ingester.sources.backoff import wait_s
from services.ingester.sources.base import Batch, Malformed
from services.ingester.sources.filters import Filters
from services.ingester.sources.hackernews.items import Reading, read_item
from services.ingester.sources.hackernews.progress import MAX_DIGITS, Progress, decode
from services.ingester.sources.health import Health

log = get_logger(__name__)

API = "https://hacker-news.firebaseio.com/v0"
# Some ten items come in a minute.
POLL_S = 30.0
# How long an item is waited for whose id is there already, or whose author has it held back, ten minutes at most.
MISSING_S = 720.0
STEP_ITEMS = 100
MAX_CHANGED = 200
# Requests at a time. No limit is published: so many read a day's items in some minutes.
CONCURRENCY = 8
MAX_STEP_S = 120.0
# Titles of popular stories come with the ids of thousands of comments.
MAX_BODY_BYTES = 1_000_000
TOO_OFTEN_S = 60.0

ItemId = Annotated[int, msgspec.Meta(ge=1, lt=10**MAX_DIGITS)]


class _Updates(msgspec.Struct):
    items: list[ItemId] = []


_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_newest = msgspec.json.Decoder(ItemId)
_updates = msgspec.json.Decoder(_Updates)


class HackerNewsSource:
    """Stories, polls and comments as they are written, and the ids of deleted ones; at first from now on. A position
    is the id of an item: all up to it were given. `api`: its address; `poll_s`: between two requests when all is read;
    `missing_s`: how long an item is waited for that is not there yet.
    """

    name = "hackernews"

    def __init__(
        self,
        filters: Filters,
        *,
        api: str = API,
        poll_s: float = POLL_S,
        missing_s: float = MISSING_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._filters = filters
        self._api = api
        self._poll_s = poll_s
        self._missing_s = missing_s
        self._clock = clock
        self.health = Health(self.name, clock=clock)

    async def batches(self, position: str | None = None) -> AsyncGenerator[Batch, None]:
        begin = decode(position)
        progress: Progress | None = None
        failures = 0
        headers = {"User-Agent": f"undertone/{undertone_version()}"}
        async with httpx2.AsyncClient(headers=headers, timeout=TIMEOUT_S, follow_redirects=False) as http:
            while True:
                try:
                    async with asyncio.timeout(MAX_STEP_S):
                        newest = _newest_of(await self._get(http, "maxitem"))
                        if progress is None:
                            # Of a position that is ahead of everything, nothing would come for long.
                            progress = Progress(newest if begin is None else min(begin, newest), self._missing_s)
                        batch = await self._read(http, progress, newest)
                except (OSError, TimeoutError, httpx2.HTTPError, Transient) as error:
                    self.health.failed(why(error))
                    wait = max(wait_s(failures), error.in_s if isinstance(error, TooOften) else 0.0)
                    failures += 1
                    log.warning("trying again", source=self.name, reason=why(error), in_s=round(wait, 1))
                else:
                    self.health.up()
                    failures = 0
                    yield batch
                    wait = 0.0 if progress.reach < newest else self._poll_s
                await asyncio.sleep(wait)

    async def _read(self, http: httpx2.AsyncClient, progress: Progress, newest: int) -> Batch:
        """The next step. Nothing has happened if it fails."""
        due = progress.due(newest, STEP_ITEMS)
        readings = await self._items(http, due)
        deleted = await self._deleted(http, progress.reach) if len(due) < STEP_ITEMS else []
        items: list[Post | Malformed] = []
        for reading in readings:
            if reading is None:
                continue
            if isinstance(reading.item, Post):
                self.health.received(reading.item.created_at.timestamp())
            if reading.item is not None:
                items.append(reading.item)
            elif reading.deleted is not None:
                deleted.append(reading.deleted)
            elif reading.skipped is not None:
                self.health.skipped(reading.skipped)
        missing = {item_id for item_id, reading in zip(due, readings, strict=True) if reading is None}
        given_up = progress.were_read(due, missing, self._clock())
        if given_up:
            log.warning("items that never came are given up", source=self.name, items=given_up)
            self.health.skipped("missing", len(given_up))
        return Batch(items, deleted, str(progress.position))

    async def _deleted(self, http: httpx2.AsyncClient, reach: int) -> list[str]:
        """Of the items up to `reach`, the posts that were deleted some moments ago. All else that changes stays as it
        was stored.
        """
        raw = await self._get(http, "updates")
        try:
            changed = _updates.decode(raw).items[:MAX_CHANGED]
        except _UNREADABLE as error:
            raise Transient(f"it answered with no list of items: {error}") from None
        readings = await self._items(http, [item_id for item_id in changed if item_id <= reach])
        return [reading.deleted for reading in readings if reading is not None and reading.deleted is not None]

    async def _items(self, http: httpx2.AsyncClient, item_ids: Sequence[int]) -> list[Reading | None]:
        permits = asyncio.Semaphore(CONCURRENCY)

        async def read(item_id: int) -> Reading | None:
            async with permits:
                return read_item(await self._get(http, f"item/{item_id}"), item_id, self._filters)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(read(item_id)) for item_id in item_ids]
        except ExceptionGroup as errors:
            # The first has ended the others.
            raise errors.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _get(self, http: httpx2.AsyncClient, path: str) -> bytes:
        async with http.stream("GET", f"{self._api}/{path}.json") as answer:
            check_ok(answer, self._clock(), TOO_OFTEN_S)
            # What stands between may answer 200 with a page of its own.
            if not answer.headers.get("content-type", "").startswith("application/json"):
                raise Transient("it answered with no JSON")
            return await body_of(answer, MAX_BODY_BYTES)


def _newest_of(raw: bytes) -> int:
    try:
        return _newest.decode(raw)
    except _UNREADABLE as error:
        raise Transient(f"it answered with no id of an item: {error}") from None
