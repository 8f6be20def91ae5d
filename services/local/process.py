"""One run of a child: started in a session of its own, its lines passed on, ended together with all it started."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import Callable, Mapping
from pathlib import Path

from services.local.child import Child
from services.local.exec_child import HELD_BACK
from services.local.guardian import Guardian

EXEC_CHILD = Path(__file__).with_name("exec_child.py")
# A line beyond this is cut into several: a child that never ends its line must not fill our memory.
MAX_LINE_BYTES = 16_384
# Unread, a pipe holds this much without blocking the one who writes.
PIPE_BYTES = 65_536
PUMP_GRACE_S = 1.0
KILL_PATIENCE_S = 10.0


class Process:
    """`ended` is done, with the exit code, when nothing of the process group is left and all lines were passed on."""

    def __init__(
        self, child: Child, process: asyncio.subprocess.Process, pump: asyncio.Task[None], guardian: Guardian
    ) -> None:
        self._child = child
        self._guardian = guardian
        self._process = process
        self.pid = process.pid
        guardian.watch(self.pid)
        self.ended = asyncio.create_task(self._end(pump), name=f"{child.name} ended")

    @classmethod
    async def start(cls, child: Child, on_line: Callable[[str], None], guardian: Guardian) -> "Process":
        """OSError when the system has no room for another process."""
        reader, pump_end = os.pipe()
        stdin = DEVNULL if child.stdin is None else _filled_pipe(child.stdin)
        try:
            process = await asyncio.create_subprocess_exec(
                *command_line(child),
                env=held_back(child.environment),
                cwd=child.cwd,
                # Pipes of our own, because asyncio's would keep `wait` waiting for grandchildren that hold them.
                stdin=stdin,
                stdout=pump_end,
                stderr=pump_end,
                # A terminal's Ctrl-C reaches only the supervisor, and the group can be killed as a whole.
                start_new_session=True,
            )
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(pump_end)
            if stdin != DEVNULL:
                os.close(stdin)
        pump = asyncio.create_task(_pump(reader, on_line), name=f"{child.name} lines")
        return cls(child, process, pump, guardian)

    async def stop(self, patience_s: float) -> int:
        """Asks with the child's stop signal, kills the whole group after `patience_s`. The exit code."""
        if not self.ended.done():
            # One signal only: a second SIGTERM leaves some servers hanging in their shutdown.
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(self._child.stop_signal)
            await asyncio.wait({self.ended}, timeout=patience_s)
        return await self.kill()

    async def kill(self) -> int:
        """Returns also when the process cannot die, being stuck in a driver or on a dead disk."""
        if not self.ended.done():
            self._kill_group()
            await asyncio.wait({self.ended}, timeout=KILL_PATIENCE_S)
        return self.ended.result() if self.ended.done() else -signal.SIGKILL

    async def _end(self, pump: asyncio.Task[None]) -> int:
        code = await self._process.wait()
        # What the child started and left behind (Triton's stubs, PostgreSQL's backends) holds memory, ports or files.
        # The id cannot mean a stranger yet: ids are handed out in a circle, and this one was freed a moment ago.
        self._kill_group()
        self._guardian.forget(self.pid)
        await asyncio.wait({pump}, timeout=PUMP_GRACE_S)
        pump.cancel()
        return code

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def command_line(child: Child) -> list[str]:
    """The child's command behind `exec_child`, which must be started from this process's main thread."""
    account = ["-" if number is None else str(number) for number in (child.uid, child.gid)]
    # -I: neither the environment's Python settings nor the user's folder have a say here.
    return [sys.executable, "-I", "-S", str(EXEC_CHILD), str(os.getpid()), *account, *child.command, *child.arguments()]


def held_back(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment to start `exec_child` with, so that the child gets `environment`."""
    return {f"{HELD_BACK}{name}" if name.startswith("LD_") else name: value for name, value in environment.items()}


def _filled_pipe(content: bytes) -> int:
    if len(content) > PIPE_BYTES:
        raise ValueError("more standard input than a pipe holds")
    reader, writer = os.pipe()
    try:
        os.write(writer, content)
    finally:
        os.close(writer)
    return reader


async def _pump(descriptor: int, on_line: Callable[[str], None]) -> None:
    """Passes on what is written to the pipe, line by line; invalid UTF-8 and endless lines included."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    rest = b""
    try:
        while chunk := await reader.read(PIPE_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                on_line(_text(line))
            while len(rest) >= MAX_LINE_BYTES:
                on_line(_text(rest[:MAX_LINE_BYTES]))
                rest = rest[MAX_LINE_BYTES:]
    finally:
        if rest:
            on_line(_text(rest))
        transport.close()


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip()
