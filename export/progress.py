"""What a long command says while it works: a bar on a terminal, lines in a log."""

import sys
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm


class Progress:
    """`total` phases; each may report details, which a log keeps and a terminal shows beside the bar."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bar: tqdm[None] | None = None
        if self._stream.isatty():
            layout = "{percentage:3.0f}% {bar:20} {elapsed} {desc}"
            self._bar = tqdm(total=total, bar_format=layout, file=self._stream, dynamic_ncols=True)
        self._begun = False

    def phase(self, text: str) -> None:
        """The phase before this one is done."""
        if self._bar is None:
            print(text, file=self._stream, flush=True)
            return
        if self._begun:
            # More phases than were foreseen are no reason to show more than all.
            self._bar.total = max(self._bar.total, self._bar.n + 1)
            self._bar.update()
        self._begun = True
        self._bar.set_description_str(text)

    def __call__(self, detail: str) -> None:
        if self._bar is None:
            print(f"  {detail}", file=self._stream, flush=True)
        else:
            self._bar.set_description_str(detail)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            if error is None:
                self._bar.n = self._bar.total
                self._bar.set_description_str("done")
            self._bar.close()
