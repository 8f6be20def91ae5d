"""Ctrl-C and SIGTERM around work that must be taken back."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], None]


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """Within the block SIGTERM does what Ctrl-C does. Only the main thread gets signals; elsewhere nothing changes."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        # An event loop has a handler of its own, which ends its tasks in order.
        if callable(signal.getsignal(signal.SIGINT)):
            signal.raise_signal(signal.SIGINT)
        else:
            raise KeyboardInterrupt

    with _handling((signal.SIGTERM,), interrupt):
        yield


@contextmanager
def deferred(report: Callable[[str], None]) -> Iterator[None]:
    """Within the block neither signal ends the process, and afterwards both do what Ctrl-C does."""
    came: list[int] = []

    def defer(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        report("wait: the former configuration is being loaded")

    with _handling(SIGNALS, defer):
        yield
    if came:
        raise KeyboardInterrupt


@contextmanager
def _handling(numbers: tuple[signal.Signals, ...], handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, each in former.items():
            signal.signal(number, each)
