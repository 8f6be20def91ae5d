"""Starts children stage by stage, keeps them running, and stops them in reverse order."""

import asyncio
import signal
from collections.abc import Callable, Collection, Sequence

from services.local.child import Child
from services.local.guardian import Guardian
from services.local.output import Output
from services.local.runner import Runner, StartFailed

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Wrappers pass on a Ctrl-C that has already reached us: a signal so soon after the first is the same wish.
SAME_WISH_S = 0.3


class Supervisor:
    """Owns the children from `run` until it returns; afterwards none of them is left.

    The children of a stage start together, and a stage starts when the one before it is ready. Children named in
    `may_finish` may end by themselves with exit code 0.
    """

    def __init__(self, stages: Sequence[Sequence[Child]], output: Output, may_finish: Collection[str] = ()) -> None:
        self._stages = stages
        self._output = output
        self._may_finish = may_finish
        self._running: list[list[Runner]] = []

    async def run(self, on_up: Callable[[float], None]) -> int:
        """Returns the exit code after a stop that was asked for (0) or a failed start (1).

        `on_up` is called once, when everything is ready, with the seconds that this took.
        """
        loop = asyncio.get_running_loop()
        self._asked: asyncio.Future[None] = loop.create_future()
        self._hurry: asyncio.Future[None] = loop.create_future()
        # `nohup` ignores SIGHUP on purpose.
        handled = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        for number in handled:
            loop.add_signal_handler(number, self._on_signal)
        self._guardian = Guardian()
        try:
            started = loop.time()
            for stage in self._stages:
                await self._start_stage(stage)
                if self._asked.done():
                    return 0
            on_up(loop.time() - started)
            await self._attend()
            return 0
        except StartFailed as error:
            self._output.say(f"{error}. Its last lines:")
            for line in error.lines:
                self._output.say(f"  {line}")
            return 1
        finally:
            await self._stop_all()
            self._guardian.close()
            for number in handled:
                loop.remove_signal_handler(number)

    def _on_signal(self) -> None:
        now = asyncio.get_running_loop().time()
        if not self._asked.done():
            self._asked_at = now
            self._asked.set_result(None)
            self._output.say("stopping; once more to hurry")
        elif not self._hurry.done() and now - self._asked_at > SAME_WISH_S:
            self._hurry.set_result(None)
            self._output.say("hurrying")

    async def _start_stage(self, stage: Sequence[Child]) -> None:
        """Returns when the whole stage is ready or a stop was asked for."""
        runners = [
            Runner(
                child,
                self._output.sink(child.name),
                self._output.say,
                self._guardian,
                may_finish=child.name in self._may_finish,
            )
            for child in stage
        ]
        self._running.append(runners)
        waiting: set[asyncio.Future[None]] = {runner.first_ready for runner in runners}
        while waiting and not self._asked.done():
            # The tasks too: one that ends by a fault of ours would otherwise be waited for without end.
            tasks = {runner.task for runner in runners if not runner.first_ready.done()}
            await asyncio.wait({*waiting, *tasks, self._asked}, return_when=asyncio.FIRST_COMPLETED)
            for done in [*(f for f in waiting if f.done()), *(t for t in tasks if t.done())]:
                done.result()
            waiting = {future for future in waiting if not future.done()}

    async def _attend(self) -> None:
        """Until a stop is asked for. A runner only ends before that when its child has finished."""
        waiting: set[asyncio.Future[None]] = {runner.task for runners in self._running for runner in runners}
        waiting.add(self._asked)
        while not self._asked.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for future in done:
                future.result()

    async def _stop_all(self) -> None:
        while self._running:
            await asyncio.gather(*(runner.stop(self._hurry) for runner in self._running.pop()))
