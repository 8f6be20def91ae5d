"""Service processes under test: started with settings, always ended, their output at hand when a test fails."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.common.settings import Settings
from tests.conftest import ROOT, environment_of

STOP_TIMEOUT_S = 30.0
ERROR_LINE = re.compile(r"Traceback|\[(error|critical) *\]", re.IGNORECASE)


class Service:
    """A running `python -m services.<name>`."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def errors(self) -> list[str]:
        """The lines that tell of an error or begin a traceback."""
        return [line for line in self.output.splitlines() if ERROR_LINE.search(line)]

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status; it is killed, and the test fails, if it does not end by itself."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        try:
            return await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise AssertionError(f"did not end within {STOP_TIMEOUT_S} s of {number.name}:\n{self.output}") from None


@asynccontextmanager
async def service(
    name: str, settings: Settings, folder: Path, *arguments: str, module: str = ""
) -> AsyncIterator[Service]:
    """Runs the service for the block; an unexpected end is the test's to notice through `process.returncode`.

    `module`: what is run in place of `services.<name>`.
    """
    log = folder / f"{name}-{len(list(folder.iterdir()))}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module or f"services.{name}",
            *arguments,
            cwd=ROOT,
            env=environment_of(settings) | {"PYTHONPATH": os.fspath(ROOT)},
            stdout=output,
            stderr=output,
        )
    running = Service(process, log)
    try:
        yield running
    finally:
        if process.returncode is None:
            await running.stop()
