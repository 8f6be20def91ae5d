"""Never more runs at once than slots, whoever asks; idle ones are used; none is lost with its holder."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.triton.backends.onnxruntime.core_slots import CoreSlots

HOLDER = """
import sys, time
from pathlib import Path
from services.triton.backends.onnxruntime.core_slots import CoreSlots

def hold(item):
    print("held", flush=True)
    time.sleep(60)

CoreSlots(Path(sys.argv[1]), int(sys.argv[2])).map(hold, [0])
"""


class Meter:
    """Counts how many are inside at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self.most = 0

    def pass_through(self, item: int) -> int:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        time.sleep(0.002)
        with self._lock:
            self._inside -= 1
        return -item


@pytest.mark.parametrize("count", [1, 2, 3])
def test_instances_share_the_slots_and_get_their_results_in_order(tmp_path: Path, count: int) -> None:
    meter = Meter()
    # Each opens the files anew, as another process would: the locks are between these openings.
    instances = [CoreSlots(tmp_path, count) for _ in range(3)]
    with ThreadPoolExecutor(len(instances)) as threads:
        found = list(threads.map(lambda slots: slots.map(meter.pass_through, range(20)), instances))
    assert found == [[-item for item in range(20)]] * 3
    assert meter.most <= count


def test_slots_whose_owners_do_nothing_are_used(tmp_path: Path) -> None:
    instance, _idle, _idle_too = (CoreSlots(tmp_path, 3) for _ in range(3))
    meter = Meter()
    instance.map(meter.pass_through, range(40))
    assert meter.most == 3


def test_an_owner_at_work_keeps_its_slot(tmp_path: Path) -> None:
    one, other = (CoreSlots(tmp_path, 2) for _ in range(2))
    meter = Meter()

    def beside(_: int) -> None:
        one.map(meter.pass_through, range(20))

    other.map(beside, [0])
    assert meter.most == 1


def test_a_slot_comes_back_after_an_error(tmp_path: Path) -> None:
    slots = CoreSlots(tmp_path, 1)
    with pytest.raises(ZeroDivisionError):
        slots.map(lambda item: 1 // item, [0])
    assert slots.map(lambda item: 1 // item, [1]) == [1]


@contextmanager
def holder(folder: Path, count: int) -> Iterator[subprocess.Popen[str]]:
    """A process at work in the first slot."""
    command = [sys.executable, "-c", HOLDER, str(folder), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_slot_is_free_again_when_its_holder_is_killed(tmp_path: Path) -> None:
    with holder(tmp_path, 1) as process, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(CoreSlots(tmp_path, 1).map, lambda item: item, [7])
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        process.kill()
        assert waiting.result(10) == [7]


def test_an_instance_that_came_when_all_slots_were_owned_takes_the_next_that_is_free(tmp_path: Path) -> None:
    with holder(tmp_path, 2) as process:
        second, third = (CoreSlots(tmp_path, 2) for _ in range(2))
        process.kill()
        process.wait()
        with ThreadPoolExecutor(1) as thread:
            # While the second computes on its own.
            found = second.map(lambda _: thread.submit(third.map, lambda item: item, [7]).result(10), [0])
    assert found == [[7]]
