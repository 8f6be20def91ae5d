"""The whole system as `make run` starts it, on ports and in a folder of the test's own."""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from tests.conftest import ROOT
from tests.ports import free_ports
from tests.waiting import eventually

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 60.0
# What the command line of each process has in it, as `ps` shows it.
PROGRAMS = {
    "postgres": "bin/postgres",
    "redis": "valkey-server",
    "triton": "bin/tritonserver",
    "worker": "services.worker",
    "api": "services.api",
    "ingester": "services.ingester",
}
PORTS = (
    "API_PORT",
    "LOCAL_POSTGRES_PORT",
    "LOCAL_REDIS_PORT",
    "LOCAL_TRITON_GRPC_PORT",
    "LOCAL_TRITON_METRICS_PORT",
    "WORKER_METRICS_PORT",
    "INGESTER_METRICS_PORT",
)


@dataclass
class System:
    process: asyncio.subprocess.Process
    local_dir: Path
    ports: dict[str, int]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['API_PORT']}"

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    async def get(self, path: str) -> Any:
        """JSON of an API route; None while the API is away."""

        def read() -> Any:
            try:
                with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
                    return json.load(answer)
            except OSError:
                return None

        return await asyncio.to_thread(read)

    async def connect(self) -> asyncpg.Connection:
        """To the embedded database, as its owner."""
        secrets = json.loads((self.local_dir / "secrets.json").read_text())
        return await asyncpg.connect(
            host="127.0.0.1",
            port=self.ports["LOCAL_POSTGRES_PORT"],
            user="undertone",
            password=secrets["postgres"],
            database="undertone",
        )

    async def query(self, statement: str) -> list[asyncpg.Record]:
        """Rows from the embedded database."""
        connection = await self.connect()
        try:
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    def pid_of(self, name: str) -> int | None:
        """The process itself, not those that it started; None while it does not run."""
        return next(iter(self.pids_of(name)), None)

    def pids_of(self, name: str) -> list[int]:
        """The same for all of them, where there may be several."""
        found = []
        for process in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # ended, or a zombie, while we looked
                if any(PROGRAMS[name] in word for word in process.cmdline()):
                    found.append(process.pid)
        return found

    def kill(self, name: str) -> int:
        """SIGKILL to the process; its id."""
        pid = self.pid_of(name)
        assert pid is not None, f"{name} does not run:\n{self.output[-5_000:]}"
        os.kill(pid, signal.SIGKILL)
        return pid

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    async def up(self) -> None:
        async def is_up() -> bool:
            assert self.process.returncode is None, f"ended with {self.process.returncode}:\n{self.output}"
            return "Everything is up" in self.output

        await eventually(is_up, "everything is up", START_TIMEOUT_S)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit status; AssertionError if it takes too long."""
        self.process.send_signal(number)
        try:
            return await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            raise AssertionError(f"did not stop:\n{self.output[-5_000:]}") from None


def alive(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Those that still run. A zombie has ended and waits for whoever adopted it to look."""
    running = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                running.append(process)
    return running


@asynccontextmanager
async def system(
    local_dir: Path,
    arguments: Sequence[str],
    settings: dict[str, str] | None = None,
    module: str = "services.local",
) -> AsyncIterator[System]:
    """Runs the system for the block and leaves no process behind, whatever happens in it.

    `settings` may name ports; the others are free ones.
    """
    local_dir.mkdir(exist_ok=True)
    _share_triton(local_dir)
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    ports |= {name: int(port) for name, port in (settings or {}).items() if name in PORTS}
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "LOCAL_DIR": str(local_dir),
        **{name: str(port) for name, port in ports.items()},
        **(settings or {}),
    }
    log = local_dir / "output.log"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, *arguments, cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    running = System(process, local_dir, ports, log)
    children: list[psutil.Process] = []
    try:
        await running.up()
        yield running
    finally:
        if process.returncode is None:
            children = running.descendants()
            try:
                await running.stop()
            finally:
                for child in alive(children):
                    child.kill()
                if process.returncode is None:
                    process.kill()
                    await process.wait()


def _share_triton(local_dir: Path) -> None:
    """Triton's environments are those of `make run`: they take long to install and hold no state."""
    (local_dir / "triton").mkdir(exist_ok=True)
    for name in ("env", "env-gpu"):
        link, made = local_dir / "triton" / name, ROOT / ".local" / "triton" / name
        if made.exists() and not link.exists():
            link.symlink_to(made)
