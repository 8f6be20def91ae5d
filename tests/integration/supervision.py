"""A supervisor at work in the test's own process, with small scripts as children."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import psutil

from services.local.child import Child
from services.local.output import Output
from services.local.supervisor import Supervisor

# Takes its name and the journal, which all children write to; the rest is the behaviour of this one.
SCRIPT = """
import os, signal, subprocess, sys, time
name, journal, behaviour = sys.argv[1], sys.argv[2], sys.argv[3]

def note(what):
    with open(journal, "a") as file:
        file.write(f"{name} {what} {os.getpid()}\\n")

def stop(number, frame):
    note("stopping")
    if "stubborn" not in behaviour:
        time.sleep(0.1 if "slow" in behaviour else 0)
        note("stopped")
        sys.exit(0)

signal.signal(signal.SIGTERM, stop)
note("started")
if "crash" in behaviour:
    print("no such luck", flush=True)
    sys.exit(3)
if "wrong" in behaviour:
    sys.exit(2)
if "finish" in behaviour:
    sys.exit(0)
if "parent" in behaviour:
    grandchild = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    note(f"grandchild={grandchild.pid}")
if "chatty" in behaviour:
    sys.stdout.buffer.write(b"plain\\n\\xff\\xfe bytes\\n" + b"x" * 300_000 + b"\\nafter\\n")
    sys.stdout.flush()
note("ready")
while True:
    time.sleep(60)
"""


@dataclass
class Stage:
    """A folder with the children's script and journal, and the children made from it."""

    folder: Path
    sick: set[str] = field(default_factory=set)

    @property
    def journal(self) -> list[str]:
        """Lines `<name> <what> <pid>`."""
        path = self.folder / "journal"
        return path.read_text().splitlines() if path.exists() else []

    def events(self) -> list[str]:
        return [line.rpartition(" ")[0] for line in self.journal]

    def pids(self, what: str = " ready ") -> list[int]:
        return [int(line.split()[-1]) for line in self.journal if what in line]

    def child(self, name: str, behaviour: str = "-") -> Child:
        script = self.folder / "child.py"
        script.write_text(SCRIPT)

        async def ready() -> bool:
            # The newest process of that name has written it: not one that has died since.
            own = [line for line in self.journal if line.startswith(f"{name} ")]
            started = [index for index, line in enumerate(own) if " started " in line]
            return bool(started) and any(" ready " in line for line in own[started[-1] :]) and name not in self.sick

        return Child(
            name=name,
            command=[sys.executable, "-S", str(script), name, str(self.folder / "journal"), behaviour],
            environment={"PATH": os.defpath},
            ready=ready,
            cwd=self.folder,
            stop_timeout_s=5.0,
            ready_timeout_s=20.0,
        )


@dataclass
class Run:
    """A supervisor at work in this process."""

    supervisor: Supervisor
    output: Output
    terminal: StringIO
    task: asyncio.Task[int]
    up: asyncio.Event

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        os.kill(os.getpid(), number)
        return await self.task

    def lines(self) -> list[str]:
        self.output.close()
        return self.terminal.getvalue().splitlines()


@asynccontextmanager
async def supervised(stage: Stage, *stages: Sequence[Child], may_finish: tuple[str, ...] = ()) -> AsyncIterator[Run]:
    terminal = StringIO()
    names = [child.name for children in stages for child in children]
    output = Output(stage.folder / "logs", names, terminal)
    supervisor, up = Supervisor(stages, output, may_finish), asyncio.Event()
    task = asyncio.create_task(supervisor.run(lambda _: up.set()))
    try:
        yield Run(supervisor, output, terminal, task, up)
    finally:
        if not task.done():
            os.kill(os.getpid(), signal.SIGTERM)
            await task
        output.close()


async def until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


async def all_up(run: Run) -> None:
    waiting: list[asyncio.Task[int] | asyncio.Task[bool]] = [asyncio.create_task(run.up.wait()), run.task]
    await asyncio.wait(waiting, timeout=20, return_when=asyncio.FIRST_COMPLETED)
    assert run.up.is_set()


def is_gone(pid: int) -> bool:
    """Zombies are gone: their parent, which may be any process that adopts orphans, has not looked yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
