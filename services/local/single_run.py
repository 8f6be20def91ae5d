"""One child without a supervisor: ready, then at work until a signal or the end of standard input; never restarted."""

import asyncio
import os
import re
import signal
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from services.local.child import Child, NeverReady
from services.local.guardian import Guardian
from services.local.process import Process
from services.local.runner import StartFailed, exit_reason

KEPT_LINES = 20
POLL_S = 0.1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# An error in Triton's log: what stands after time, process and place.
_ERROR = re.compile(r'E\d{4} \S+ \d+ \S+\] "?(.*?)"?$')


class SingleRun:
    """`say` gets the child's lines once it is ready; before that the last ones are kept for StartFailed."""

    def __init__(self, child: Child, say: Callable[[str], None]) -> None:
        self._child = child
        self._say = say
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._is_ready = False

    async def run(self, on_ready: Callable[[int], None]) -> None:
        """Returns after a stop that was asked for; StartFailed when the child does not get ready or ends by itself.

        `on_ready` is called with the child's process id. Nothing of the child is left afterwards.
        """
        self._asked = asyncio.get_running_loop().create_future()
        _on_stop(self._asked)
        guardian = Guardian()
        try:
            process = await Process.start(self._child, self._line, guardian)
            try:
                await self._wait_until_ready(process)
                if self._goes_on(process):
                    self._is_ready = True
                    on_ready(process.pid)
                    await self._pause(process, None)
                if not self._asked.done():
                    raise self._failed(exit_reason(process.ended.result()) + self._told(process))
            finally:
                await process.stop(self._child.stop_timeout_s)
        finally:
            guardian.close()

    async def _wait_until_ready(self, process: Process) -> None:
        """Returns when the child is ready or has ended, or a stop was asked for."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._child.ready_timeout_s
        while self._goes_on(process):
            check = asyncio.ensure_future(self._child.ready())
            await asyncio.wait({check, process.ended, self._asked}, return_when=asyncio.FIRST_COMPLETED)
            if not self._goes_on(process):
                # Somebody else may have answered in place of a dead process.
                check.cancel()
                await asyncio.gather(check, return_exceptions=True)
                return
            try:
                if check.result():
                    return
            except NeverReady as error:
                raise self._failed(str(error)) from None
            if loop.time() >= deadline:
                raise self._failed(f"was not ready within {self._child.ready_timeout_s:g} s")
            await self._pause(process, POLL_S)

    def _goes_on(self, process: Process) -> bool:
        return not (process.ended.done() or self._asked.done())

    async def _pause(self, process: Process, seconds: float | None) -> None:
        await asyncio.wait({process.ended, self._asked}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    def _line(self, text: str) -> None:
        self._lines.append(text)
        if self._is_ready:
            self._say(text)

    def _failed(self, reason: str) -> StartFailed:
        return StartFailed(f"{self._child.name} {reason}", [*self._lines])

    def _told(self, process: Process) -> str:
        """What the child said last, where it ended by itself: a killed one had no chance to."""
        errors = [match[1] for line in self._lines if (match := _ERROR.match(line))]
        last = (errors or [*self._lines])[-1:]
        return f": {last[0]}" if last and process.ended.result() >= 0 else ""


def _on_stop(asked: asyncio.Future[None]) -> None:
    """`asked` is done at the first signal, or at the end of standard input."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if not asked.done():
            asked.set_result(None)

    def read_to_the_end() -> None:
        # Not through sys.stdin: its lock, held by a thread that never returns, would disturb the interpreter's end.
        with suppress(OSError):
            while os.read(0, 4096):
                pass
        with suppress(RuntimeError):  # the loop has ended first
            loop.call_soon_threadsafe(stop)

    for number in STOP_SIGNALS:
        # `nohup` ignores SIGHUP on purpose.
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop)
    # A terminal belongs to whoever is in the foreground.
    if not os.isatty(0):
        threading.Thread(target=read_to_the_end, daemon=True).start()
