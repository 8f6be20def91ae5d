"""The cores of a machine, shared by the instances of all models: what computes holds a slot, and there are as many
slots as fit on the cores.

Each instance has a slot of its own, which it computes on. But of two models, one twice as expensive, the cheap one's
cores would be idle half of the time: so an instance with several runs before it also takes slots whose owners do
nothing. An owner that comes back waits for one run. A slot is a lock on a file: it is free again when its holder dies,
however it dies.
"""

import fcntl
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# The folder of the slots; whoever starts the server sets it. Without it, an instance does one thing after the other.
SETTING = "UNDERTONE_CPU_SLOTS"
# A slot counts as idle when it was free at two looks so far apart: between two requests its owner is not idle, and a
# run of another model on its core would push its weights out of the cache.
IDLE_S = 0.002


class CoreSlots:
    """`count` slots in the folder, one of them this instance's own."""

    def __init__(self, folder: Path, count: int) -> None:
        self.count = count
        self._owners = [_open(folder / f"owner-{slot}") for slot in range(count)]
        self._owned: int | None = None
        # A lock belongs to the file as it was opened: a set of openings for each thread.
        self._openings = [[_open(folder / f"slot-{slot}") for slot in range(count)] for _ in range(count)]
        self._helpers = ThreadPoolExecutor(max(1, count - 1), thread_name_prefix="helper")
        self._own()

    def map(self, action: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """What `action` gives for each item, in their order; begun in their order, several at once where slots idle."""
        work, own = _Work(action, items), self._own()
        mine, *openings = self._openings
        helpers = [self._helpers.submit(self._help, work, files, own) for files in openings[: max(0, len(items) - 1)]]
        try:
            with _locked(mine[own]):
                while work.do_one():
                    pass
        finally:
            work.stop()
            failures = [error for helper in helpers if (error := helper.exception())]
        for failure in failures:
            raise failure
        return work.results()

    def _own(self) -> int:
        """The slot of this instance for as long as its process lives: the first that nobody has.

        Where all have an owner (a new version is loaded beside the former one), the last, until one is free.
        """
        if self._owned is None:
            self._owned = next((slot for slot, file in enumerate(self._owners) if _try_lock(file)), None)
        return self.count - 1 if self._owned is None else self._owned

    def _help(self, work: "_Work[Item, Result]", files: Sequence[int], own: int) -> None:
        others = [file for slot, file in enumerate(files) if slot != own]
        while work.waiting:
            idle = [file for file in others if _is_free(file)]
            time.sleep(IDLE_S)
            for file in idle:
                if work.waiting and _try_lock(file):
                    try:
                        work.do_one()
                    finally:
                        fcntl.flock(file, fcntl.LOCK_UN)


class _Work(Generic[Item, Result]):
    """Items that are taken one after the other, by several threads."""

    def __init__(self, action: Callable[[Item], Result], items: Sequence[Item]) -> None:
        self._action = action
        self._items = items
        self._left = deque(range(len(items)))
        self._results: dict[int, Result] = {}

    @property
    def waiting(self) -> bool:
        return bool(self._left)

    def do_one(self) -> bool:
        """False where nothing was left. An error of the action ends all of the work."""
        try:
            number = self._left.popleft()
        except IndexError:
            return False
        try:
            self._results[number] = self._action(self._items[number])
        except BaseException:
            self.stop()
            raise
        return True

    def stop(self) -> None:
        """Nothing more is begun."""
        self._left.clear()

    def results(self) -> list[Result]:
        return [self._results[number] for number in range(len(self._items))]


def folder_of(environment: Mapping[str, str]) -> Path | None:
    return Path(environment[SETTING]) if environment.get(SETTING) else None


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(file: int) -> bool:
    if not _try_lock(file):
        return False
    fcntl.flock(file, fcntl.LOCK_UN)
    return True


@contextmanager
def _locked(file: int) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
