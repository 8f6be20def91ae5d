"""How far the items of Hacker News were read: ids are given in order, from 1."""

from collections.abc import Collection, Iterable

# Of a position or an id; what is longer is none.
MAX_DIGITS = 15


class Progress:
    """All up to `reach` were read, but those that were missing when they were asked for: an id may be there before its
    item is. Such a one is asked for again for `missing_s` seconds.
    """

    def __init__(self, reach: int, missing_s: float) -> None:
        self.reach = reach
        self._missing_s = missing_s
        self._missing: dict[int, float] = {}

    @property
    def position(self) -> int:
        """All up to this one were read, or are given up."""
        return min(self._missing, default=self.reach + 1) - 1

    def due(self, newest: int, limit: int) -> list[int]:
        """The next to read, up to `limit`: none beyond it, as long as so many are missing."""
        again = sorted(self._missing)[:limit]
        return [*again, *range(self.reach + 1, min(newest, self.reach + limit - len(again)) + 1)]

    def were_read(self, ids: Iterable[int], missing: Collection[int], now_s: float) -> list[int]:
        """`ids`: as they were due; `missing`: those of them that were not there. Those that are given up."""
        given_up = []
        for each in ids:
            self.reach = max(self.reach, each)
            if each not in missing:
                self._missing.pop(each, None)
            elif now_s - self._missing.setdefault(each, now_s) >= self._missing_s:
                del self._missing[each]
                given_up.append(each)
        return given_up


def decode(text: str | None) -> int | None:
    """None also for what no version of ours has written."""
    if not text or not text.isascii() or not text.isdecimal() or len(text) > MAX_DIGITS:
        return None
    return int(text)
