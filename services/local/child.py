"""What the supervisor knows of a process: how to start it, when it is ready, how to stop it."""

import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Check = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class Child:
    """One process.

    `ready` does a real operation (a query, a ping, an inference) and returns whether it succeeded; it must not raise
    and must return within a few seconds. While the process runs, the supervisor calls it again every
    `health_interval_s`; after `health_failures` failures in a row it restarts the process (0: never).
    `environment` is complete: nothing is inherited. `stdin` is written at the start and closed (a password that way
    does not show in the process list).
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Check
    cwd: Path = field(default_factory=Path.cwd)
    uid: int | None = None
    gid: int | None = None
    stdin: bytes | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 15.0
    ready_timeout_s: float = 60.0
    health_interval_s: float = 5.0
    health_failures: int = 0
