"""Where the lines of all children go: the terminal, with a coloured name before each, and one bounded file a child."""

import contextlib
import logging
import logging.handlers
import os
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

LOG_FILE_BYTES = 10_000_000
# A terminal that is not read (Ctrl-S, a paused pager) must not stop the supervisor: beyond this many waiting lines the
# newest are left out on the terminal. The files have them all.
WAITING_LINES = 10_000
COLOURS = (36, 35, 33, 34, 32, 96, 95, 94)
OWN_NAME = "undertone"


class _BoundedFile(logging.handlers.RotatingFileHandler):
    """The last 10 to 20 MB of a child's lines. A full disk loses lines, never the supervisor."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=LOG_FILE_BYTES, backupCount=1, encoding="utf-8", errors="replace", delay=True)
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s"))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class calls it so
        pass

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


class _Terminal:
    """Writes on a thread of its own, until the stream is closed by whoever reads it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING_LINES)
        self._thread = threading.Thread(target=self._write, name="terminal", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(line)

    def close(self, timeout_s: float = 2.0) -> None:
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=timeout_s)
        self._thread.join(timeout_s)

    def _write(self) -> None:
        open_ = True
        while (line := self._lines.get()) is not None:
            if not open_:
                continue
            try:
                self._stream.write(line + "\n")
                if self._lines.empty():
                    self._stream.flush()
            except (OSError, ValueError):  # closed pipe, closed file: carry on for the log files
                open_ = False
                # Otherwise the interpreter complains about the unwritten rest at its end.
                with contextlib.suppress(OSError, ValueError), Path(os.devnull).open("w") as nowhere:
                    os.dup2(nowhere.fileno(), self._stream.fileno())


class Output:
    """To be called from the event loop: nothing here waits for whoever reads the terminal."""

    def __init__(self, log_dir: Path, names: list[str], stream: TextIO | None = None) -> None:
        stream = stream or sys.stdout
        log_dir.mkdir(parents=True, exist_ok=True)
        self._terminal = _Terminal(stream)
        self._width = max(map(len, [OWN_NAME, *names]))
        self._coloured = stream.isatty() and not os.environ.get("NO_COLOR")
        self._files = {name: _BoundedFile(log_dir / f"{name}.log") for name in [OWN_NAME, *names]}
        self._colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)} | {OWN_NAME: 1}

    def line(self, name: str, text: str) -> None:
        label = f"{name:<{self._width}} |"
        if self._coloured:
            label = f"\x1b[{self._colours[name]}m{label}\x1b[0m"
        self._terminal.put(f"{label} {text}")
        self._files[name].handle(logging.LogRecord(name, logging.INFO, "", 0, "%s", (text,), None))

    def sink(self, name: str) -> Callable[[str], None]:
        return lambda text: self.line(name, text)

    def say(self, text: str) -> None:
        """A line of the supervisor itself."""
        self.line(OWN_NAME, text)

    def block(self, lines: list[str]) -> None:
        """Lines of the supervisor that stand out from the children's: a rule above and below."""
        rule = "─" * max(map(len, lines))
        for text in [rule, *lines, rule]:
            self.say(text)

    def close(self) -> None:
        self._terminal.close()
        for file in self._files.values():
            file.close()
