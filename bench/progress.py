"""A bar for what takes long: on a terminal one line that moves, in a log a line a step."""

import sys
import time

BAR_CHARS = 24


class Progress:
    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = max(1, total)
        self._done = -1
        self._began = time.monotonic()

    def step(self, what: str) -> None:
        """The step before this one is done."""
        self._done += 1
        self.note(what)

    def note(self, what: str) -> None:
        self.percent(max(0, self._done) / self._total, what)

    def percent(self, share: float, what: str) -> None:
        """Where there are no steps: how much of it is done, 0 to 1."""
        share = min(1.0, share)
        elapsed = time.monotonic() - self._began
        bar = "█" * round(share * BAR_CHARS)
        line = f"{self._title} {bar:<{BAR_CHARS}} {share:4.0%} {elapsed:5.0f} s  {what}"
        if sys.stderr.isatty():
            print(f"\r\033[K{line[:150]}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def done(self) -> None:
        self._done = self._total
        self.note("done")
        if sys.stderr.isatty():
            print(file=sys.stderr)
