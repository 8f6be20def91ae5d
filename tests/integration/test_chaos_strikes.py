"""Processes that the chaos suite pauses go on in the end, whatever becomes of the suite."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.chaos.strikes import suspended
from tests.conftest import ROOT
from tests.waiting import eventually

PARENT = (
    "import subprocess, sys; child = subprocess.Popen(['sleep', '600']); print(child.pid, flush=True); child.wait()"
)
SUSPEND = """
import sys, time, psutil
from tests.chaos.strikes import suspended
with suspended(psutil.Process(int(sys.argv[1]))):
    print("suspended", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def tree() -> Iterator[list[psutil.Process]]:
    """A process and one that it started."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        yield [psutil.Process(parent.pid), child]
        for process in (psutil.Process(parent.pid), child):
            process.kill()


def stopped(tree: list[psutil.Process]) -> list[bool]:
    return [process.status() == psutil.STATUS_STOPPED for process in tree]


async def test_a_process_and_its_children_stand_still_for_the_block(tree: list[psutil.Process]) -> None:
    with suspended(tree[0]):

        async def still() -> bool:
            return all(stopped(tree))

        await eventually(still, "both stand still")
    assert stopped(tree) == [False, False]


def suspend_and_be_killed(process: psutil.Process) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SUSPEND, str(process.pid)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as suite:
        assert suite.stdout is not None
        assert suite.stdout.readline() == "suspended\n"
        suite.send_signal(signal.SIGKILL)


async def test_they_go_on_also_when_the_suite_is_killed(tree: list[psutil.Process]) -> None:
    suspend_and_be_killed(tree[0])

    async def going() -> bool:
        return not any(stopped(tree))

    await eventually(going, "both go on")
