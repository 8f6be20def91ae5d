"""`undertone dead …`: what is read, what is done, and what is said of it."""

import argparse
import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Sequence

from services.cli import present
from services.cli.progress import Progress
from services.common.cluster import Client
from services.common.dead_letters.choosing import Portion, by_filter, by_id
from services.common.dead_letters.reading import STEP, Letter
from services.common.dead_letters.sharded import DeadLetters
from services.common.settings import Settings

ROOM_POLL_S = 0.2
# How many of those that were skipped are named.
MAX_NAMED = 10

DONE, NOT_ALL = 0, 1


class Work:
    """One command on one Redis."""

    def __init__(self, redis: Client, settings: Settings, options: argparse.Namespace) -> None:
        self._dead = DeadLetters(redis, settings.streams)
        self._group = settings.redis_consumer_group
        self._max_lag = settings.max_stream_lag
        self._options = options
        self.done = 0

    async def list(self) -> int:
        totals = await self._dead.count()
        letters: list[Letter] = []
        place: str | None = None
        progress = Progress("reading", totals.total)
        read = 0
        while True:
            room = self._options.limit - len(letters)
            page = await self._dead.page(self._options.filter, limit=min(room, STEP), before_id=place)
            letters += page.letters
            place = page.next_id
            read += page.read
            progress.show(read)
            if place is None or len(letters) == self._options.limit:
                break
        progress.clear()
        if self._options.json:
            present.print_json(present.listing(letters, totals, has_more=place is not None))
        else:
            width = shutil.get_terminal_size((120, 24)).columns
            filtered = not self._options.filter.is_empty
            present.print_list(letters, totals, width, filtered=filtered, has_more=place is not None)
        return DONE

    async def show(self) -> int:
        (letter,) = await self._dead.find(self._options.ids)
        if letter is None:
            return self._missing(self._options.ids)
        if self._options.json:
            present.print_json(present.as_json(letter))
        else:
            present.print_letter(letter)
        return DONE

    async def count(self) -> int:
        """How many letters `act` would be about now."""
        options = self._options
        if options.all:
            total = (await self._dead.count()).total
            return total if options.limit is None else min(total, options.limit)
        if options.ids:
            return len(set(options.ids))
        progress = Progress("reading", (await self._dead.count()).total)
        wanted = read = 0
        async for portion in self._portions():
            wanted += len(portion.letters)
            read += portion.read
            progress.show(read)
        progress.clear()
        return wanted

    async def act(self, wanted: int) -> int:
        """Replays or drops them, oldest first, in steps."""
        replaying = self._options.command == "replay"
        progress = Progress("replaying" if replaying else "dropping", wanted)
        skipped: list[tuple[Letter, str]] = []
        skipped_count = gone = 0
        try:
            async for portion in self._portions():
                letters = portion.letters
                if replaying:
                    await self._wait_for_room(len(letters), progress)
                    outcome = await self._dead.replay(letters)
                    self.done += outcome.replayed
                    gone += outcome.gone
                    skipped_count += len(outcome.skipped)
                    skipped += outcome.skipped[: MAX_NAMED - len(skipped)]
                else:
                    dropped = await self._dead.drop([letter.id for letter in letters])
                    self.done += dropped
                    gone += len(letters) - dropped
                progress.show(self.done + gone + skipped_count)
        finally:
            progress.clear()
        # Ids that were given and are no letters; of what a filter takes there are none.
        gone += wanted - self.done - skipped_count - gone if self._options.ids else 0
        if self._options.json:
            present.print_json(present.outcome(self._options.command, self.done, skipped, skipped_count, gone))
        else:
            present.print_outcome(self._options.command, self.done, skipped, skipped_count, gone)
        return NOT_ALL if skipped_count or gone else DONE

    async def _portions(self) -> AsyncIterator[Portion]:
        options = self._options
        if options.ids:
            portions = by_id(self._dead, options.ids)
        else:
            until = await self._dead.newest_id()
            portions = by_filter(self._dead, options.filter, until_id=until, limit=options.limit)
        async for portion in portions:
            yield portion

    async def _wait_for_room(self, count: int, progress: Progress) -> None:
        """As the ingester does: what nobody reads is not published on top."""
        told = False
        while await self._dead.room(self._group, self._max_lag) < min(count, self._max_lag):
            if not told:
                progress.say(f"waiting: {self._max_lag:,} posts (MAX_STREAM_LAG) are before the workers; Ctrl-C stops")
                told = True
            await asyncio.sleep(ROOM_POLL_S)

    def _missing(self, ids: Sequence[str]) -> int:
        print(f"there is no dead letter {ids[0]}: it was replayed or dropped, or never was", file=sys.stderr)
        return NOT_ALL
