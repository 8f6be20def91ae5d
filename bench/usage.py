"""What processes use: CPU seconds and memory, with all that they started."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

import psutil


def tree(pid: int) -> list[psutil.Process]:
    """The process and what it started; none where it has gone."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_s(pid: int) -> float:
    """User and system time, of children that have ended too."""
    total = 0.0
    for process in tree(pid):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_mb(pid: int) -> float:
    """Resident memory; where several processes share pages, each page counts once."""
    processes = tree(pid)
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            try:
                total += process.memory_info().rss if len(processes) == 1 else process.memory_full_info().pss
            except psutil.AccessDenied:
                total += process.memory_info().rss
    return total / 1e6


def cpu_of(pids: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """CPU seconds by name, of all processes of that name together."""
    return {name: sum(map(cpu_s, each)) for name, each in pids.items()}


def memory_of(pids: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Megabytes, likewise."""
    return {name: sum(map(memory_mb, each)) for name, each in pids.items()}


def growth(before: Mapping[str, float], after: Mapping[str, float], *, per: float = 1.0) -> dict[str, float]:
    """What each has more than before, divided by `per`."""
    return {name: (value - before.get(name, 0.0)) / per for name, value in after.items()}
