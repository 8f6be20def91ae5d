"""The posts of an export, portion by portion, each with a permit of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import asyncpg

from services.api.queries.connection import connection
from services.api.queries.find import find
from services.api.queries.posts import load
from services.api.schemas.general import Post, PostFilters
from services.api.web.admission import Busy, Permits
from services.common.errors import Transient

# Ids are found so many at a time, posts loaded so many: a hundred of the greatest length are 16 MB, and that is what an
# export holds while its reader takes its time.
FOUND_AT_ONCE = 1_000
LOADED_AT_ONCE = 100
# A portion waits longer for its permit than a request does: what was sent so far would be lost.
PERMIT_PATIENCE_S = 30.0
PAUSE_S = 0.5


class Reader:
    """The newest `limit` posts that pass the filters, as if read in the moment of the first portion: later ones are
    newer than those already read, and reading goes towards the older ones.

    Between two portions it holds neither a connection nor a permit.
    """

    def __init__(self, pool: asyncpg.Pool, permits: Permits | None, filters: PostFilters, limit: int) -> None:
        self._pool = pool
        self._permits = permits
        self._filters = filters
        self._left = limit
        self._before_id: int | None = None
        self._found: list[int] = []
        self._more: bool | None = None

    @property
    def is_cut(self) -> bool | None:
        """Whether more posts match than were asked for; None: not known, or not yet."""
        return self._more if self._left == 0 or self._more is False else None

    @property
    def _is_at_end(self) -> bool:
        return not self._found and (self._left == 0 or self._more is False)

    async def first(self) -> list[Post]:
        """The first portion, under the permit that the request has; Transient if the database is away."""
        return await self._portion()

    async def others(self) -> AsyncIterator[list[Post]]:
        """Those after the first, some perhaps empty; Transient if the database is away, or no permit to be had."""
        while not self._is_at_end:
            async with self._permit():
                posts = await self._portion()
            yield posts

    async def _portion(self) -> list[Post]:
        async with connection(self._pool) as held:
            if not self._found:
                # One more than is wanted tells whether there are more.
                wanted = min(self._left, FOUND_AT_ONCE)
                found = await find(held, self._filters, self._before_id, wanted + 1)
                self._found = found.ids[:wanted]
                self._left -= len(self._found)
                if len(found.ids) > wanted:
                    self._more, self._before_id = True, self._found[-1]
                else:
                    self._more, self._before_id = None if found.resume_before else False, found.resume_before
            ids, self._found = self._found[:LOADED_AT_ONCE], self._found[LOADED_AT_ONCE:]
            return await load(held, ids)

    @asynccontextmanager
    async def _permit(self) -> AsyncIterator[None]:
        if self._permits is None:
            yield
            return
        await take_patiently(self._permits)
        try:
            yield
        finally:
            self._permits.give_back()


async def take_patiently(permits: Permits) -> None:
    """Asks again where a request would be refused; Transient if there is none for long."""
    deadline = monotonic() + PERMIT_PATIENCE_S
    while True:
        try:
            return await permits.take()
        except Busy:
            if monotonic() > deadline:
                raise Transient(f"there was no permit within {PERMIT_PATIENCE_S:g} s") from None
        await asyncio.sleep(PAUSE_S)
