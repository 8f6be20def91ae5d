"""What the supervisor knows of a process: how to start it, when it is ready, how to stop it."""

import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.common.errors import UndertoneError

Check = Callable[[], Awaitable[bool]]


class NeverReady(UndertoneError):
    """The process runs, but will not get ready, however long one waits; the message says why."""


@dataclass(frozen=True)
class Child:
    """One process.

    `ready` does a real operation (a query, a ping, an inference) and returns whether it succeeded; it raises nothing
    but NeverReady and must return within a few seconds. While the process runs, the supervisor calls it again every
    `health_interval_s`; after `health_failures` failures in a row it restarts the process (0: never). `alive` is asked
    in its place once the child was ready for the first time: for a process that says "not ready" while another one is
    away, which no restart would mend. `killed_when_unhealthy`: nothing is lost with it, so that one which fails its
    checks is not asked to finish what it cannot.
    `environment` is complete: nothing is inherited. `stdin` is written at the start and closed (a password that way
    does not show in the process list). `arguments` follow the command; they are asked for at each start.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Check
    alive: Check | None = None
    arguments: Callable[[], Sequence[str]] = tuple
    cwd: Path = field(default_factory=Path.cwd)
    uid: int | None = None
    gid: int | None = None
    stdin: bytes | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 15.0
    ready_timeout_s: float = 60.0
    health_interval_s: float = 5.0
    health_failures: int = 0
    killed_when_unhealthy: bool = False
