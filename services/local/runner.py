"""Keeps one child running: waits until it is ready, watches its health, restarts it when it fails."""

import asyncio
import contextlib
import random
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.common.errors import UndertoneError
from services.local.child import Child, NeverReady
from services.local.guardian import Guardian
from services.local.process import Process

FIRST_POLL_S, LONGEST_POLL_S = 0.02, 0.5
# A check that hangs counts as failed; `ready` itself should answer within a few seconds.
CHECK_TIMEOUT_S = 10.0
SHORTEST_DELAY_S, LONGEST_DELAY_S = 0.2, 30.0
HEALTHY_AGAIN_S = 60.0
START_ATTEMPTS = 5
# How our services end when a setting, a file or the machine is wrong: starting again would not help.
CONFIGURATION_EXIT_CODE = 2
# After a second Ctrl-C nobody wants to wait; a database still gets the moment that its shutdown takes.
HURRIED_STOP_S = 1.0
KEPT_LINES = 15


class StartFailed(UndertoneError):
    """A child did not come up during the start. `lines` are the last that it wrote."""

    def __init__(self, message: str, lines: list[str]) -> None:
        super().__init__(message)
        self.lines = lines


@dataclass
class Backoff:
    """Seconds before the next start: doubling with each failure, forgotten after a minute of health."""

    failures: int = 0

    def next_delay_s(self, healthy_s: float) -> float:
        """`healthy_s`: how long the process that just ended had been ready."""
        self.failures = 0 if healthy_s >= HEALTHY_AGAIN_S else self.failures
        delay_s = min(LONGEST_DELAY_S, SHORTEST_DELAY_S * 2.0 ** min(self.failures, 16))
        self.failures += 1
        # Jitter, so that several children which fell over the same thing do not all return at once.
        return delay_s * random.uniform(0.5, 1.0)


def exit_reason(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"


async def _first_of(*futures: asyncio.Future[Any], within_s: float | None = None) -> None:
    await asyncio.wait(futures, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)


class Runner:
    """`first_ready` is done when the child is ready for the first time, or fails with StartFailed.

    A child that `may_finish` is not restarted after exit code 0; for any other that counts as a crash.
    """

    def __init__(
        self,
        child: Child,
        on_line: Callable[[str], None],
        say: Callable[[str], None],
        guardian: Guardian,
        *,
        may_finish: bool = False,
    ) -> None:
        self.child = child
        self.process: Process | None = None
        self._on_line, self._say, self._guardian, self._may_finish = on_line, say, guardian, may_finish
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        loop = asyncio.get_running_loop()
        self.first_ready: asyncio.Future[None] = loop.create_future()
        self._stopping: asyncio.Future[None] = loop.create_future()
        self._ready_since: float | None = None
        self.task = asyncio.create_task(self._run(), name=child.name)

    async def stop(self, hurry: asyncio.Future[None]) -> None:
        """Stops the child for good, politely until `hurry` is done."""
        if not self._stopping.done():
            self._stopping.set_result(None)
        await asyncio.wait({self.task, hurry}, return_when=asyncio.FIRST_COMPLETED)
        if not self.task.done():
            await asyncio.wait({self.task}, timeout=HURRIED_STOP_S)
            if self.process is not None:
                await self.process.kill()
            await asyncio.wait({self.task})
        if self.first_ready.done():
            self.first_ready.exception()  # looked at, even where another child's failure was reported

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        backoff = Backoff()
        while not self._stopping.done():
            self._ready_since = None
            reason = await self._run_once()
            if self._stopping.done() or reason is None:
                break
            healthy_s = loop.time() - self._ready_since if self._ready_since is not None else 0.0
            delay_s = backoff.next_delay_s(healthy_s)
            if not self.first_ready.done() and backoff.failures >= START_ATTEMPTS:
                self._give_up(f"{reason}, {START_ATTEMPTS} times in a row")
            if self.first_ready.done() and self.first_ready.exception() is not None:
                return
            self._say(f"{self.child.name} {reason}; starting it again in {delay_s:.1f} s")
            await asyncio.wait({self._stopping}, timeout=delay_s)
        if not self.first_ready.done():
            self.first_ready.set_result(None)

    async def _run_once(self) -> str | None:
        """Why the child has to be started again; None when it has not."""
        self._lines.clear()
        try:
            self.process = process = await Process.start(self.child, self._line, self._guardian)
        except OSError as error:
            return f"could not be started ({error.strerror})"
        reason = None
        try:
            reason = await self._wait_until_ready(process) or await self._watch(process)
        finally:
            hopeless = reason is not None and self.child.killed_when_unhealthy
            code = await (process.kill() if hopeless else process.stop(self.child.stop_timeout_s))
        if reason is not None or self._stopping.done():
            return reason
        if code == 0 and self._may_finish:
            self._say(f"{self.child.name} has finished")
            return None
        if code == CONFIGURATION_EXIT_CODE and not self.first_ready.done():
            self._give_up(exit_reason(code))
        return exit_reason(code)

    async def _wait_until_ready(self, process: Process) -> str | None:
        """Returns when the child is ready or has ended, or with the reason why it must be restarted."""
        loop = asyncio.get_running_loop()
        deadline, poll_s = loop.time() + self.child.ready_timeout_s, FIRST_POLL_S
        while not self._over(process):
            reason = f"was not ready within {self.child.ready_timeout_s:.0f} s" if loop.time() >= deadline else None
            try:
                ready = await self._check(process)
            except NeverReady as error:
                ready, reason = False, str(error)
            if ready:
                self._ready_since = loop.time()
                if self.first_ready.done():
                    self._say(f"{self.child.name} is back")
                else:
                    self.first_ready.set_result(None)
                return None
            if reason is not None:
                if not self.first_ready.done():
                    self._give_up(reason)
                return reason
            await self._pause(process, poll_s)
            poll_s = min(poll_s * 1.5, LONGEST_POLL_S)
        return None

    async def _watch(self, process: Process) -> str | None:
        """Returns when the child has ended, or with the reason why it must be restarted."""
        if self.child.health_failures == 0:
            await self._pause(process, None)
        failures = 0
        while not self._over(process):
            await self._pause(process, self.child.health_interval_s)
            try:
                healthy = self._over(process) or await self._check(process)
            except NeverReady:
                healthy = False
            failures = 0 if healthy or self._over(process) else failures + 1
            if failures >= self.child.health_failures:
                return f"failed {failures} health checks in a row"
        return None

    async def _check(self, process: Process) -> bool:
        """One readiness check, given up when the process ends or has to be stopped meanwhile; NeverReady passes."""
        healthy = (self.child.alive if self.first_ready.done() else None) or self.child.ready
        check = asyncio.ensure_future(asyncio.wait_for(healthy(), CHECK_TIMEOUT_S))
        await _first_of(check, process.ended, self._stopping)
        if self._over(process):
            # Somebody else may have answered in place of a dead process.
            check.cancel()
            await asyncio.wait({check})
            return False
        if isinstance(error := check.exception(), NeverReady):
            raise error
        return error is None and check.result()

    async def _pause(self, process: Process, seconds: float | None) -> None:
        await _first_of(process.ended, self._stopping, within_s=seconds)

    def _give_up(self, reason: str) -> None:
        self.first_ready.set_exception(StartFailed(f"{self.child.name} did not start: it {reason}", list(self._lines)))

    def _over(self, process: Process) -> bool:
        return process.ended.done() or self._stopping.done()

    def _line(self, text: str) -> None:
        self._lines.append(text)
        self._on_line(text)
