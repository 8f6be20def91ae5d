"""Whether the ports that `make run` needs are free, and the lock that keeps a second one out of the same folder."""

import fcntl
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.common.errors import ConfigurationError

LOOPBACK = "127.0.0.1"
# What an earlier run left may still be dying.
PATIENCE_S = 2.0


@dataclass(frozen=True)
class PortNeed:
    """`setting` is the environment variable that changes the port."""

    port: int
    purpose: str
    setting: str
    host: str = LOOPBACK


def why_not_free(host: str, port: int) -> str | None:
    """The system's reason why nobody can listen there; None when it is free."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # Connections of an earlier run that wait for their end do not count; a listening server still does.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        return error.strerror or str(error)
    return None


def port_problems(needs: Sequence[PortNeed], patience_s: float = PATIENCE_S) -> list[str]:
    """One sentence for each port that is taken or wanted twice; waits up to `patience_s` for those to become free."""
    problems = []
    wanted: dict[int, PortNeed] = {}
    for need in needs:
        other = wanted.setdefault(need.port, need)
        if other is not need:
            problems.append(
                f"port {need.port} is wanted for {other.purpose} ({other.setting}) and for {need.purpose} "
                f"({need.setting}): change one of them"
            )
    deadline = time.monotonic() + patience_s
    for need in wanted.values():
        while (reason := why_not_free(need.host, need.port)) and time.monotonic() < deadline:
            time.sleep(0.05)
        if reason:
            problems.append(
                f"port {need.port} on {need.host} is not free for {need.purpose} ({reason.lower()}): another "
                f"`make run` or server may be using it; stop that, or set {need.setting} to another port"
            )
    return problems


@contextmanager
def exclusive_run(lock_file: Path) -> Iterator[None]:
    """Holds the folder for this process, whose end frees it however it ends; ConfigurationError when another has it."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "?"
            raise ConfigurationError(
                f"`make run` is already running in this folder (process {holder}): stop that one first, "
                "or set LOCAL_DIR and the ports to others"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
