"""Which letters are meant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

FIRST_ID = "0-0"
LAST_ID = f"{2**64 - 1}-{2**64 - 1}"


@dataclass(frozen=True)
class Filter:
    """Letters of this reason, source and post, buried at or after `since` and before `before`; None: of any."""

    reason: str | None = None
    source: str | None = None
    post_id: str | None = None
    since: datetime | None = None
    before: datetime | None = None

    @property
    def is_empty(self) -> bool:
        return self == Filter()

    def matches(self, entry: Mapping[bytes, bytes]) -> bool:
        """By the fields of a letter's entry; the times are `bounds`."""
        return (
            (self.reason is None or entry.get(b"reason") == self.reason.encode())
            and (self.source is None or entry.get(b"source", entry.get(b"platform")) == self.source.encode())
            and (self.post_id is None or entry.get(b"post_id") == self.post_id.encode())
        )

    def bounds(self) -> tuple[str, str]:
        """The first and the last entry id of the time that is asked for. Ids begin with Redis's clock."""
        first = FIRST_ID if self.since is None else f"{_milliseconds(self.since)}-0"
        if self.before is None:
            return first, LAST_ID
        return first, f"{max(0, _milliseconds(self.before) - 1)}-{2**64 - 1}"


def place(letter_id: str) -> tuple[int, int, int]:
    """Ids in their order, which is not that of their text: milliseconds, number, shard. ValueError if it is none."""
    entry_id, dot, shard = letter_id.partition(".")
    milliseconds, dash, number = entry_id.partition("-")
    if not dash or not all(map(_is_number, (milliseconds, number, shard if dot else "0"))):
        raise ValueError(f"{letter_id[:50]!r} is no id of a letter: these look like 1767225600000-0")
    return int(milliseconds), int(number), int(shard or 0)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 20 and int(text) < 2**64


def _milliseconds(moment: datetime) -> int:
    return max(0, int(moment.timestamp() * 1_000))
