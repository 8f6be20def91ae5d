"""Real PostgreSQL and Redis for tests: `make run`'s own definitions on free ports, without the supervisor.

Synchronous, so that session fixtures can hold them whatever event loops the tests use.
"""

import asyncio
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from services.local.child import Child
from services.local.postgres import postgres_child
from services.local.process import command_line, held_back
from services.local.redis import Fsync, redis_child
from tests.ports import free_port

PASSWORD = "only-for-tests"
DATABASE = "undertone_test"


@contextmanager
def running_postgres(base_dir: Path, *, database: str = DATABASE, fsync: bool = True) -> Iterator[str]:
    """The DSN of a server with its data in `base_dir`/postgres, kept there; its user may create databases.

    `fsync=False`: the data survives every kill, but no power cut, and nothing waits for the disk.
    """
    port = free_port()
    child = postgres_child(
        data_dir=base_dir / "postgres", port=port, user="undertone", password=PASSWORD, database=database
    )
    if not fsync:
        child = replace(child, command=[*child.command, "-c", "fsync=off"])
    with running(child, base_dir):
        yield f"postgresql://undertone:{PASSWORD}@127.0.0.1:{port}/{database}"


@contextmanager
def running_redis(base_dir: Path, *, appendfsync: Fsync = "always") -> Iterator[str]:
    """The URL of a server with its data in `base_dir`/redis, kept there."""
    port = free_port()
    child = redis_child(data_dir=base_dir / "redis", port=port, password=PASSWORD, appendfsync=appendfsync)
    with running(child, base_dir):
        yield f"redis://:{PASSWORD}@127.0.0.1:{port}/0"


@contextmanager
def running(child: Child, log_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One child until the block ends; RuntimeError with its last lines when it does not become ready."""
    log = log_dir / f"{child.name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command_line(child),
            env=held_back(child.environment),
            cwd=child.cwd,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        assert process.stdin is not None
        process.stdin.write(child.stdin or b"")
        process.stdin.close()
        wait_until_ready(child, process, log)
        yield process
    finally:
        process.send_signal(child.stop_signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(child.stop_timeout_s)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until_ready(child: Child, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + child.ready_timeout_s
    while not is_ready(child):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{child.name} did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)


def is_ready(child: Child) -> bool:
    """One check, on a thread of its own: the caller may have an event loop running."""
    answers: list[bool] = []

    async def ask() -> None:
        answers.append(await child.ready())

    thread = threading.Thread(target=lambda: asyncio.run(ask()))
    thread.start()
    thread.join()
    return answers == [True]


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that other users can enter: pytest's own cannot be."""
    with tempfile.TemporaryDirectory(prefix="undertone-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
