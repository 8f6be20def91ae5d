"""The replay source: recorded posts from a file, at a rate or as fast as the stream accepts them.

JSON Lines (`.jsonl`, `.ndjson`) and CSV (`.csv`, with a header row), each plain or gzipped (`.gz`). Fields: `post_id`,
`source` or `platform`, `content` or `text`, `author`, `created_at` (ISO 8601; without an offset UTC). `post_id` and
`author` may be absent, see `files/records.py`; other fields are ignored.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TypeAlias

from services.common.errors import ConfigurationError
from services.common.messages import Post
from services.ingester.sources.base import MAX_BATCH_POSTS, Batch, Malformed
from services.ingester.sources.files import jsonl, table
from services.ingester.sources.files.lines import DamagedFile, LineSource, open_lines
from services.ingester.sources.files.records import malformed
from services.ingester.sources.health import Health
from services.ingester.sources.pace import Pace

Reader: TypeAlias = Callable[[LineSource, str], Iterator[Post | Malformed]]

_READERS: dict[str, Reader] = {
    ".jsonl": jsonl.read,
    ".ndjson": jsonl.read,
    ".csv": table.read,
}


class ReplaySource:
    """The posts of one file, once. ConfigurationError, at once, if the file cannot be one of posts.

    Memory stays flat: one batch is read ahead, in a thread, so that the event loop never waits for a disk.
    """

    name = "replay"

    def __init__(self, path: Path, per_minute: float | None = None, *, pace: Pace | None = None) -> None:
        suffix = Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
        if suffix not in _READERS:
            known = ", ".join(_READERS)
            raise ConfigurationError(f"{path} has no known suffix; expected is {known}, or one of them with .gz")
        open_lines(path).close()
        self._path = path
        self._reader = _READERS[suffix]
        self._pace = pace or Pace(per_minute)
        self.health = Health(self.name)

    async def batches(self, position: str | None = None) -> AsyncGenerator[Batch, None]:
        # Not in a thread: a task cancelled meanwhile would leave an open file to nobody.
        recording = _Recording(self._path, self._reader)
        self.health.up()
        try:
            while items := await asyncio.to_thread(recording.read, MAX_BATCH_POSTS):
                while items:
                    count = await self._pace.due(len(items))
                    yield Batch(items[:count])
                    items = items[count:]
        finally:
            recording.close()


class _Recording:
    """An open file and how far it is read. The lock keeps `close` from a read that a cancelled task left running, and
    that ends with its next line: a packed file may have blank lines for hours.
    """

    def __init__(self, path: Path, reader: Reader) -> None:
        self._lock = Lock()
        self._closing = False
        self._file = open_lines(path)
        # Names are bytes, and need not be UTF-8; dead letters and logs are.
        self._name = path.name.encode("utf-8", "replace").decode()
        self._items = reader(self, self._name)

    def readline(self, limit: int, /) -> bytes:
        return b"" if self._closing else self._file.readline(limit)

    def read(self, count: int) -> list[Post | Malformed]:
        """The next items, fewer than `count` only at the end; a damaged file ends with a dead letter."""
        items: list[Post | Malformed] = []
        with self._lock:
            try:
                items.extend(islice(self._items, count))
            except DamagedFile as error:
                place = f"{self._name} line {error.line_number}"
                items.append(malformed("damaged_file", str(error), place, {}))
        return items

    def close(self) -> None:
        self._closing = True
        with self._lock:
            self._file.close()
