"""Several processes of callers on one Triton: one process of Python cannot feed a GPU."""

import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.paths import WORK
from bench.rival import Rival, started
from bench.usage import cpu_s

LOG = WORK / "gpu-clients.log"
# From the order until all of them begin: none is still reading it then.
LEAD_S = 0.15


class Clients:
    def __init__(self, processes: Sequence[Rival], threads: ThreadPoolExecutor) -> None:
        self._processes = processes
        self._threads = threads

    def __len__(self) -> int:
        return len(self._processes)

    def ask(self, **order: Any) -> list[dict[str, Any]]:
        """The answers of all of them, asked at the same time; the monotonic time of their beginning as `at`."""
        at = time.monotonic() + LEAD_S
        orders = [{**order, "at": at, "seed": number} for number in range(len(self._processes))]
        return list(self._threads.map(lambda process, each: process.ask(**each), self._processes, orders))

    def ask_one(self, **order: Any) -> dict[str, Any]:
        return self._processes[0].ask(**{"at": time.monotonic(), "seed": 0, **order})

    def rate(self, **order: Any) -> float:
        """Rows a second of all of them together, from the first's beginning to the last's end."""
        answers = self.ask(**order)
        seconds = max(a["ended"] for a in answers) - min(a["began"] for a in answers)
        return float(sum(a["rows"] for a in answers) / seconds)

    def cpu_s(self) -> float:
        return sum(cpu_s(process.pid) for process in self._processes)


@contextmanager
def clients(count: int, url: str, repository: Path) -> Iterator[Clients]:
    """`count` processes; each has its own connection."""
    with ExitStack() as stack:
        arguments = [url, str(repository)]
        processes = [
            stack.enter_context(started(sys.executable, "bench.gpu.client", arguments, log=LOG)) for _ in range(count)
        ]
        yield Clients(processes, stack.enter_context(ThreadPoolExecutor(count)))
