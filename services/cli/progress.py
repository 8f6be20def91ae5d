"""A bar for what takes long, where somebody looks; a log gets only what is worth a line."""

import sys
import time

BAR_CHARS = 24
INTERVAL_S = 0.1


class Progress:
    """`total`: steps of what is done, 0 where that is not known, `unit` what these are; the bar appears when there is
    more than one turn of it.
    """

    def __init__(self, title: str, total: int, unit: str = "") -> None:
        self._title = title
        self._unit = f" {unit}" if unit else ""
        self._total = total
        self._shown_at = time.monotonic()
        self._is_shown = False

    def show(self, done: int, note: str = "") -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or (now - self._shown_at < INTERVAL_S and not note):
            return
        self._shown_at, self._is_shown = now, True
        share = min(1.0, done / self._total) if self._total else 0.0
        bar = "█" * round(share * BAR_CHARS)
        how_far = f"{bar:<{BAR_CHARS}} {share:4.0%}  {done:,} of {self._total:,}" if self._total else f"{done:,}"
        line = f"{self._title} {how_far}{self._unit}  {note}"
        print(f"\r\033[K{line[:150]}", end="", file=sys.stderr, flush=True)

    def say(self, sentence: str) -> None:
        """Once, on a line of its own."""
        self.clear()
        print(sentence, file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._is_shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._is_shown = False
