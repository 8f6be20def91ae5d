"""The letters of all shards as if they were in one stream.

Where there are several shards the id of a letter ends with the number of its own: `1767225600000-0.3`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from services.common.cluster import Client
from services.common.dead_letters import acting, reading
from services.common.dead_letters.acting import Replayed
from services.common.dead_letters.burial import bury
from services.common.dead_letters.filters import Filter, place
from services.common.dead_letters.letter import DeadLetter, digest
from services.common.dead_letters.reading import Letter, Page, Totals
from services.common.shards import stream_of
from services.common.streams import total_state


class DeadLetters:
    """What `burial`, `reading` and `acting` do for one stream; errors as there."""

    def __init__(self, redis: Client, streams: Sequence[str]) -> None:
        self._redis = redis
        self._streams = streams

    async def bury(self, letters: Sequence[DeadLetter], group: str) -> None:
        """Each in the shard of its entry. One of no entry where its post belongs: refused again, it is found there."""
        streams: dict[str, list[DeadLetter]] = {}
        for letter in letters:
            name = letter.fields.get(b"post_id") or digest(letter).encode()
            streams.setdefault(letter.stream or stream_of(name, self._streams), []).append(letter)
        for stream, some in streams.items():
            await bury(self._redis, stream, some, group)

    async def page(self, wanted: Filter, *, limit: int, before_id: str | None = None) -> Page:
        """Newest first, from before `before_id` on."""
        pages = [
            await reading.read_page(self._redis, stream, wanted, limit=limit, before_id=self._less(before_id, shard))
            for shard, stream in enumerate(self._streams)
        ]
        return self._merged(pages, wanted, limit, newest_first=True)

    async def oldest(self, wanted: Filter, *, after_id: str, until_id: str, limit: int) -> Page:
        """Oldest first, from after `after_id` to `until_id`."""
        pages = [
            await reading.read_oldest(
                self._redis,
                stream,
                wanted,
                after_id=self._greater(after_id, shard),
                until_id=self._up_to(until_id, shard),
                limit=limit,
            )
            for shard, stream in enumerate(self._streams)
        ]
        return self._merged(pages, wanted, limit, newest_first=False)

    async def find(self, ids: Sequence[str]) -> list[Letter | None]:
        """The letters of these ids, None for one that is not there (any more). ValueError for what is no id."""
        found: dict[str, Letter | None] = {}
        for shard, some in self._by_shard(ids).items():
            plain = [_plain(letter_id) for letter_id in some]
            letters = await reading.find(self._redis, self._streams[shard], plain)
            found |= zip(some, (letter and self._named(letter, shard) for letter in letters), strict=True)
        return [found.get(letter_id) for letter_id in ids]

    async def newest_id(self) -> str:
        """The id of the newest letter, or one before all."""
        newest = [await reading.newest_id(self._redis, stream) for stream in self._streams]
        return max((self._name(entry_id, shard) for shard, entry_id in enumerate(newest)), key=place)

    async def count(self) -> Totals:
        by_reason: dict[str, int] = {}
        for stream in self._streams:
            for reason, number in (await reading.count(self._redis, stream)).by_reason.items():
                by_reason[reason] = by_reason.get(reason, 0) + number
        return Totals(sum(by_reason.values()), dict(sorted(by_reason.items(), key=lambda item: (-item[1], item[0]))))

    async def room(self, group: str, max_lag: int) -> int:
        """How many posts may be published before more than `max_lag` wait unread: there the ingester pauses."""
        return max(0, max_lag - (await total_state(self._redis, self._streams, group)).lag)

    async def replay(self, letters: Sequence[Letter]) -> Replayed:
        """Each into the shard in which it was refused."""
        skipped = [(letter, letter.obstacle) for letter in letters if letter.obstacle]
        outcome = Replayed(0, skipped, 0)
        by_id = {letter.id: letter for letter in letters if not letter.obstacle}
        for shard, ids in self._by_shard(by_id).items():
            whole = [replace(by_id[letter_id], id=_plain(letter_id)) for letter_id in ids]
            done = await acting.replay(self._redis, self._streams[shard], whole)
            outcome = Replayed(outcome.replayed + done.replayed, skipped, outcome.gone + done.gone)
        return outcome

    async def drop(self, ids: Sequence[str]) -> int:
        """Removes the letters for good; how many there were."""
        dropped = 0
        for shard, some in self._by_shard(ids).items():
            dropped += await acting.drop(self._redis, self._streams[shard], [_plain(letter_id) for letter_id in some])
        return dropped

    def _by_shard(self, ids: Iterable[str]) -> dict[int, list[str]]:
        shards: dict[int, list[str]] = {}
        for letter_id in dict.fromkeys(ids):
            shard = place(letter_id)[2]
            if shard < len(self._streams):
                shards.setdefault(shard, []).append(letter_id)
        return shards

    def _name(self, entry_id: str, shard: int) -> str:
        return entry_id if len(self._streams) == 1 else f"{entry_id}.{shard}"

    def _named(self, letter: Letter, shard: int) -> Letter:
        return replace(letter, id=self._name(letter.id, shard))

    # Bounds of all letters as bounds of those of one shard. Of the same entry id, the lower shard comes first.

    def _less(self, letter_id: str | None, shard: int) -> str | None:
        if letter_id is None:
            return None
        plain = _plain(letter_id)
        return reading.after(plain) if shard < place(letter_id)[2] else plain

    def _greater(self, letter_id: str, shard: int) -> str:
        plain = _plain(letter_id)
        return reading.before(plain) if shard > place(letter_id)[2] else plain

    def _up_to(self, letter_id: str, shard: int) -> str:
        plain = _plain(letter_id)
        return reading.before(plain) if shard > place(letter_id)[2] else plain

    def _merged(self, pages: Sequence[Page], wanted: Filter, limit: int, *, newest_first: bool) -> Page:
        letters = [self._named(letter, shard) for shard, page in enumerate(pages) for letter in page.letters]
        letters.sort(key=lambda letter: place(letter.id), reverse=newest_first)
        # Beyond where a page ends that is not the last of its shard, there may be letters that were not read.
        ends = [self._name(page.next_id, shard) for shard, page in enumerate(pages) if page.next_id is not None]
        end = (max if newest_first else min)(ends, key=place, default=None)
        if end is not None:
            bound = place(end)
            letters = [
                each for each in letters if (place(each.id) >= bound if newest_first else place(each.id) <= bound)
            ]
        taken = letters[:limit]
        next_id = taken[-1].id if len(letters) > limit else end
        return Page(taken, len(taken) if wanted.is_empty else sum(page.read for page in pages), next_id)


def _plain(letter_id: str) -> str:
    return letter_id.partition(".")[0]
