"""Reading letters: newest first for people, oldest first for what is done with them. Every call does bounded work."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.common.cluster import Client, execute
from services.common.dead_letters.filters import FIRST_ID, LAST_ID, Filter, place
from services.common.dead_letters.letter import original_fields
from services.common.dead_letters.scripts import count_script, keys
from services.common.errors import MalformedPost
from services.common.messages import decode_entry
from services.common.streams import dead_letter_stream, redis_errors

# Letters in one answer of Redis: some 100 kB, at most 20 MB.
STEP = 100
# What a filter does not take is read all the same: a page ends after so many letters, and may be short then.
MAX_READ_PER_PAGE = 2_000
# Of a number that somebody else may have written.
MAX_DIGITS = 18


@dataclass(frozen=True)
class Letter:
    """A letter as it lies there. Texts are as they came; bytes that are no UTF-8 stand as `\\xff` in them."""

    id: str
    reason: str
    error: str
    deliveries: int
    stream_id: str
    cut: str
    raw_fields: dict[bytes, bytes] = field(repr=False)

    @property
    def buried_at(self) -> datetime:
        # A clock may be set to anything; what a datetime cannot hold is its last moment.
        return datetime.fromtimestamp(min(place(self.id)[0] / 1_000, 253_402_300_799), UTC)

    @property
    def fields(self) -> dict[str, str]:
        return {_text(name): _text(value) for name, value in self.raw_fields.items()}

    @property
    def post_id(self) -> str:
        return _text(self.raw_fields.get(b"post_id", b""))

    @property
    def source(self) -> str:
        return _text(self.raw_fields.get(b"source", self.raw_fields.get(b"platform", b"")))

    @property
    def content(self) -> str:
        """What it says: the content of a post, or the line that could not be read."""
        fields = self.raw_fields
        return _text(fields.get(b"content", fields.get(b"text", fields.get(b"line", b""))))

    @property
    def obstacle(self) -> str:
        """Why it cannot be published again as it is; empty if it can."""
        if b"line" in self.raw_fields and b"post_id" not in self.raw_fields:
            return "it is a line of a file that could not be read: correct the line and replay the file"
        if self.cut:
            return f"it is not whole, too long to be kept: {self.cut}"
        try:
            decode_entry(self.raw_fields)
        except MalformedPost as error:
            return f"it would be refused again: {error}"
        return ""


@dataclass(frozen=True)
class Page:
    """`read`: letters that were looked at. `next_id`: where the next page begins (exclusive); None: that was all."""

    letters: Sequence[Letter]
    read: int
    next_id: str | None


@dataclass(frozen=True)
class Totals:
    """All letters, and how many of each reason, most frequent first."""

    total: int
    by_reason: dict[str, int]


async def read_page(redis: Client, stream: str, wanted: Filter, *, limit: int, before_id: str | None = None) -> Page:
    """Newest first, from before `before_id` on. Transient if Redis is away, as of every function here."""
    first, last = wanted.bounds()
    if before_id is not None:
        last = min(last, before(before_id), key=place)
    return await _read(redis, stream, wanted, (first, last), limit=limit, newest_first=True)


async def read_oldest(redis: Client, stream: str, wanted: Filter, *, after_id: str, until_id: str, limit: int) -> Page:
    """Oldest first, from after `after_id` to `until_id`."""
    first, last = wanted.bounds()
    first, last = max(first, after(after_id), key=place), min(last, until_id, key=place)
    return await _read(redis, stream, wanted, (first, last), limit=limit, newest_first=False)


async def _read(
    redis: Client, stream: str, wanted: Filter, bounds: tuple[str, str], *, limit: int, newest_first: bool
) -> Page:
    found: list[Letter] = []
    read = 0
    place_read: str | None = None
    entries = _entries(redis, stream, bounds, step=min(STEP, limit + 1), newest_first=newest_first)
    async for entry_id, entry in entries:
        # One more than is looked at, so that a last page is known to be the last.
        if len(found) == limit or read == MAX_READ_PER_PAGE:
            return Page(found, read, place_read)
        read += 1
        place_read = entry_id
        if wanted.matches(entry):
            found.append(_letter(entry_id, entry))
    return Page(found, read, None)


async def _entries(
    redis: Client, stream: str, bounds: tuple[str, str], *, step: int, newest_first: bool
) -> AsyncIterator[tuple[str, dict[bytes, bytes]]]:
    first, last = bounds
    dead = dead_letter_stream(stream)
    while place(first) <= place(last):
        with redis_errors():
            if newest_first:
                entries: Any = await redis.xrevrange(dead, last, first, count=step)
            else:
                entries = await redis.xrange(dead, first, last, count=step)
        for entry_id, entry in entries:
            yield entry_id.decode(), entry
        if len(entries) < step:
            return
        read = entries[-1][0].decode()
        first, last = (first, before(read)) if newest_first else (after(read), last)
        step = STEP


async def find(redis: Client, stream: str, ids: Sequence[str]) -> list[Letter | None]:
    """The letters of these ids, None for one that is not there (any more). ValueError for what is no id."""
    for entry_id in ids:
        place(entry_id)
    found: list[Letter | None] = []
    for start in range(0, len(ids), STEP):
        some = ids[start : start + STEP]
        with redis_errors():
            async with redis.pipeline(transaction=False) as pipeline:
                for entry_id in some:
                    pipeline.xrange(dead_letter_stream(stream), entry_id, entry_id)
                answers = await execute(redis, pipeline)
        found += [_letter(answer[0][0].decode(), answer[0][1]) if answer else None for answer in answers]
    return found


async def newest_id(redis: Client, stream: str) -> str:
    """The id of the newest letter, or one before all."""
    with redis_errors():
        entries: Any = await redis.xrevrange(dead_letter_stream(stream), count=1)
    return entries[0][0].decode() if entries else FIRST_ID


async def count(redis: Client, stream: str) -> Totals:
    """At once, however many there are: the numbers are kept. Only after an upgrade they are counted, in many steps."""
    is_whole, answer = 0, []
    while not is_whole:
        with redis_errors():
            is_whole, answer = await count_script(redis)(keys=keys(stream))
    numbers = {_text(answer[at]): int(answer[at + 1]) for at in range(0, len(answer), 2)}
    return Totals(sum(numbers.values()), dict(sorted(numbers.items(), key=lambda item: (-item[1], item[0]))))


def _letter(entry_id: str, entry: dict[bytes, bytes]) -> Letter:
    deliveries = entry.get(b"deliveries", b"")
    return Letter(
        id=entry_id,
        reason=_text(entry.get(b"reason", b"")),
        error=_text(entry.get(b"error", b"")),
        deliveries=int(deliveries) if deliveries.isdigit() and len(deliveries) < MAX_DIGITS else 0,
        stream_id=_text(entry.get(b"stream_id", b"")),
        cut=_text(entry.get(b"cut", b"")),
        raw_fields=original_fields(entry),
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def before(entry_id: str) -> str:
    """The greatest id that is less."""
    milliseconds, number, _ = place(entry_id)
    if number:
        return f"{milliseconds}-{number - 1}"
    return f"{milliseconds - 1}-{2**64 - 1}" if milliseconds else FIRST_ID


def after(entry_id: str) -> str:
    """The least id that is greater."""
    milliseconds, number, _ = place(entry_id)
    if number < 2**64 - 1:
        return f"{milliseconds}-{number + 1}"
    return f"{milliseconds + 1}-0" if milliseconds < 2**64 - 1 else LAST_ID
