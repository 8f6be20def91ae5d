"""The supervisor with small scripts as children: order, restarts, and that nothing is ever left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from services.local import runner as runner_module
from services.local.child import NeverReady
from services.local.process import EXEC_CHILD
from tests.integration.supervision import Stage, all_up, is_gone, supervised, until

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    left = {pid for pid in stage.pids(" ") if not is_gone(pid)}
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


@pytest.fixture(autouse=True)
def quick_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "SHORTEST_DELAY_S", 0.02)


async def test_a_stage_starts_when_the_one_before_is_ready_and_stops_before_it(stage: Stage) -> None:
    """Servers, then services; and services are gone before the first server is asked to stop."""
    servers = [stage.child("database"), stage.child("queue", "slow")]
    async with supervised(stage, servers, [stage.child("worker", "slow")], [stage.child("source")]) as run:
        await all_up(run)
        assert await run.stop() == 0
    events = stage.events()
    assert max(events.index("database ready"), events.index("queue ready")) < events.index("worker started")
    assert events.index("worker ready") < events.index("source started")
    assert events.index("source stopped") < events.index("worker stopping")
    assert events.index("worker stopped") < min(events.index("database stopping"), events.index("queue stopping"))


async def test_children_of_one_stage_start_together(stage: Stage) -> None:
    """The second does not wait for the first to become ready."""
    stage.sick.add("first")
    async with supervised(stage, [stage.child("first"), stage.child("second")]) as run:
        await until(lambda: "second ready" in stage.events())
        assert not run.up.is_set()
        stage.sick.clear()
        await all_up(run)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_child_that_dies_is_started_again(stage: Stage, number: signal.Signals) -> None:
    """However it ended: killed, or with exit code 0 that nobody had asked for."""
    async with supervised(stage, [stage.child("worker")]) as run:
        await all_up(run)
        os.kill(stage.pids()[0], number)
        await until(lambda: len(stage.pids()) == 2)
        await until(lambda: "worker is back" in run.terminal.getvalue())
        assert await run.stop() == 0
    reason = "was killed by SIGKILL" if number == signal.SIGKILL else "ended with exit code 0"
    assert any(reason in line for line in run.lines())


async def test_what_a_dead_child_had_started_dies_too(stage: Stage) -> None:
    """A stub that outlives its server would hold memory and ports against the next one."""
    async with supervised(stage, [stage.child("triton", "parent")]) as run:
        await all_up(run)
        grandchild = int(stage.events()[1].split("=")[1])
        assert psutil.pid_exists(grandchild)
        os.kill(stage.pids()[0], signal.SIGKILL)
        await until(lambda: len(stage.pids()) == 2)
        assert is_gone(grandchild)


async def test_a_child_that_stays_unhealthy_is_started_again(stage: Stage) -> None:
    """After `health_failures` failures in a row, not after one."""
    worker = replace(stage.child("worker"), health_interval_s=0.02, health_failures=3)
    async with supervised(stage, [worker]) as run:
        await all_up(run)
        stage.sick.add("worker")
        await until(lambda: "worker stopped" in stage.events())
        stage.sick.clear()
        await until(lambda: len(stage.pids()) == 2)
    assert any("failed 3 health checks in a row" in line for line in run.lines())


async def test_a_child_that_waits_for_another_is_not_started_again(stage: Stage) -> None:
    """Not ready is not dead: once it was ready, only `alive` counts, also after it had to be started again."""
    sick_checks = 0
    worker = stage.child("worker")

    async def ready() -> bool:
        return await worker.ready() and "waiting" not in stage.sick

    async def alive() -> bool:
        nonlocal sick_checks
        sick_checks += "waiting" in stage.sick
        return await worker.ready()

    watched = replace(worker, ready=ready, alive=alive, health_interval_s=0.01, health_failures=2, ready_timeout_s=0.5)
    async with supervised(stage, [watched]) as run:
        await all_up(run)
        stage.sick.add("waiting")
        await until(lambda: sick_checks > 20)
        assert len(stage.pids()) == 1
        os.kill(stage.pids()[0], signal.SIGKILL)
        await until(lambda: "worker is back" in run.terminal.getvalue())
        # It says its number a moment after it was started.
        await until(lambda: len(stage.pids()) == 2)
        seen = sick_checks
        await until(lambda: sick_checks > seen + 20)
        assert len(stage.pids()) == 2
        stage.sick.add("worker")
        await until(lambda: len(stage.pids()) == 2 and "failed 2 health checks in a row" in run.terminal.getvalue())
        stage.sick.clear()


async def test_an_unhealthy_child_with_nothing_to_lose_is_killed_at_once(stage: Stage) -> None:
    """It would wait for what cannot end; told to stop while it is well, it is asked as all are."""
    triton = stage.child("triton", "stubborn")
    triton = replace(triton, health_interval_s=0.02, health_failures=2, killed_when_unhealthy=True, stop_timeout_s=600)
    async with supervised(stage, [triton]) as run:
        await all_up(run)
        stage.sick.add("triton")
        await until(lambda: "failed 2 health checks in a row" in run.terminal.getvalue())
        stage.sick.clear()
        await until(lambda: len(stage.pids()) == 2)
        assert "triton stopping" not in stage.events()
        run.supervisor._running[0][0].child = replace(triton, stop_timeout_s=0.1)
        await run.stop()
    assert "triton stopping" in stage.events()


async def test_one_failed_health_check_is_forgiven(stage: Stage) -> None:
    asked = 0
    worker = stage.child("worker")

    async def ready() -> bool:
        nonlocal asked
        if not await worker.ready():
            return False
        asked += 1
        return asked == 1 or asked % 2 == 0

    async with supervised(stage, [replace(worker, ready=ready, health_interval_s=0.01, health_failures=2)]) as run:
        await all_up(run)
        await until(lambda: asked > 20)
    assert stage.events().count("worker started") == 1


async def test_a_child_that_cannot_start_ends_everything(stage: Stage) -> None:
    """Five attempts; then exit code 1, a sentence, the child's last lines, and the other children are stopped."""
    async with supervised(stage, [stage.child("database")], [stage.child("worker", "crash")]) as run:
        assert await run.task == 1
    assert stage.events().count("worker started") == 5
    assert stage.events()[-1] == "database stopped"
    text = "\n".join(run.lines())
    assert "worker did not start: it ended with exit code 3, 5 times in a row. Its last lines:" in text
    assert "|   no such luck" in text


async def test_a_configuration_error_is_not_tried_again(stage: Stage) -> None:
    """Our services end with status 2 when a setting or the machine is wrong: it would be the same next time."""
    async with supervised(stage, [stage.child("api", "wrong")]) as run:
        assert await run.task == 1
    assert stage.events() == ["api started"]


async def test_a_child_that_is_never_ready_ends_the_start(stage: Stage) -> None:
    stage.sick.add("worker")
    async with supervised(stage, [replace(stage.child("worker"), ready_timeout_s=0.3)]) as run:
        assert await run.task == 1
    assert any("worker did not start: it was not ready within" in line for line in run.lines())


async def test_a_child_that_says_it_will_never_be_ready_ends_the_start_at_once(stage: Stage) -> None:
    """With its reason; waiting and starting it again would not help."""

    async def ready() -> bool:
        raise NeverReady("failed to load 'sentiment' version 2")

    async with supervised(stage, [replace(stage.child("triton"), ready=ready, ready_timeout_s=600)]) as run:
        assert await run.task == 1
    assert any(
        "triton did not start: it failed to load 'sentiment' version 2. Its last" in line for line in run.lines()
    )


async def test_a_restarted_child_that_will_never_be_ready_is_started_again(stage: Stage) -> None:
    """What is wrong may be put right while everything else goes on."""
    refusals = 0
    worker = stage.child("worker")

    async def ready() -> bool:
        nonlocal refusals
        if "broken" in stage.sick:
            refusals += 1
            raise NeverReady("failed to load 'sentiment' version 2")
        return await worker.ready()

    async with supervised(stage, [replace(worker, ready=ready, health_interval_s=0.01, health_failures=3)]) as run:
        await all_up(run)
        stage.sick.add("broken")
        await until(lambda: "failed to load 'sentiment' version 2; starting it again" in run.terminal.getvalue())
        stage.sick.clear()
        await until(lambda: "worker is back" in run.terminal.getvalue())
    assert any("failed 3 health checks in a row" in line for line in run.lines())
    assert refusals >= 4


async def test_arguments_are_asked_for_at_each_start(stage: Stage) -> None:
    words = iter([["first"], ["second"]])
    shell = replace(
        stage.child("shell"), command=["/bin/sh", "-c", 'echo "got $1"; exit 3', "-"], arguments=lambda: next(words, [])
    )
    async with supervised(stage, [shell]) as run:
        assert await run.task == 1
    told = [line.rpartition("| ")[2] for line in run.lines() if "| got" in line]
    assert told[:3] == ["got first", "got second", "got"]


async def test_a_missing_program_is_a_failed_start(stage: Stage) -> None:
    absent = replace(stage.child("triton"), command=["/nowhere/tritonserver"])
    async with supervised(stage, [absent]) as run:
        assert await run.task == 1
    assert any("cannot start /nowhere/tritonserver: No such file or directory" in line for line in run.lines())


async def test_a_source_may_finish(stage: Stage) -> None:
    """A replayed file ends: the rest goes on, and the stop still works."""
    async with supervised(
        stage, [stage.child("api")], [stage.child("ingester", "finish")], may_finish=("ingester",)
    ) as run:
        await all_up(run)
        await until(lambda: "ingester has finished" in run.terminal.getvalue())
        assert not run.task.done()
        assert await run.stop(signal.SIGINT) == 0
    assert stage.events().count("ingester started") == 1


async def test_a_stubborn_child_is_killed_after_its_time(stage: Stage) -> None:
    async with supervised(stage, [replace(stage.child("triton", "stubborn"), stop_timeout_s=0.3)]) as run:
        await all_up(run)
        started = time.monotonic()
        assert await run.stop() == 0
        # A floor, which load can only make higher.
        assert time.monotonic() - started >= 0.3
    assert stage.events()[-1] == "triton stopping"


async def test_a_second_stop_hurries(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.local.supervisor.SAME_WISH_S", 0.0)
    monkeypatch.setattr(runner_module, "HURRIED_STOP_S", 0.05)
    async with supervised(stage, [replace(stage.child("triton", "stubborn"), stop_timeout_s=60.0)]) as run:
        await all_up(run)
        os.kill(os.getpid(), signal.SIGINT)
        await until(lambda: "triton stopping" in stage.events())
        async with asyncio.timeout(10):
            assert await run.stop(signal.SIGINT) == 0


async def test_a_stop_during_the_start(stage: Stage) -> None:
    """The stage that is not ready yet is stopped too, and no further one begins."""
    stage.sick.add("database")
    async with supervised(stage, [stage.child("database")], [stage.child("worker")]) as run:
        await until(lambda: "database ready" in stage.events())
        assert await run.stop() == 0
    assert stage.events() == ["database started", "database ready", "database stopping", "database stopped"]


async def test_lines_are_prefixed_and_kept(stage: Stage) -> None:
    """Invalid bytes and endless lines pass too, cut into bearable ones; the file has what the terminal has."""
    async with supervised(stage, [stage.child("api"), stage.child("worker", "chatty")]) as run:
        await until(lambda: "| after" in run.terminal.getvalue())
    lines = [line for line in run.lines() if line.startswith("worker ")]
    assert lines[:2] == ["worker    | plain", "worker    | \ufffd\ufffd bytes"]
    assert lines[-1] == "worker    | after"
    assert sum(line.count("x") for line in lines[2:-1]) == 300_000
    assert max(map(len, lines)) < 100_000
    kept = (stage.folder / "logs" / "worker.log").read_text()
    assert "plain\n" in kept
    assert kept.count("x") == 300_000


async def test_the_environment_of_a_child_is_its_own(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Complete, nothing inherited, LD_LIBRARY_PATH included; and standard input has what must not show elsewhere."""
    monkeypatch.setenv("UNWANTED", "1")
    script = 'read line; printf "%s|" "$LD_LIBRARY_PATH" "$NAME" "$UNWANTED" "$(pwd)" "$line"; exit 2'
    environment = {"LD_LIBRARY_PATH": "/nowhere", "NAME": "välue", "PATH": os.defpath}
    shell = replace(stage.child("shell"), command=["/bin/sh", "-c", script], environment=environment, stdin=b"secret\n")
    async with supervised(stage, [shell]) as run:
        assert await run.task == 1
    assert f"shell     | /nowhere|välue||{stage.folder}|secret|" in run.lines()


def test_a_child_whose_parent_is_gone_does_not_start() -> None:
    """The parent may die between the fork and the request for its death signal."""
    command = [sys.executable, "-I", "-S", str(EXEC_CHILD), str(os.getppid()), "-", "-", "echo", "started"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout) == (-signal.SIGKILL, "")


APP = """
import asyncio, os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_supervisor import Stage
from services.local.output import Output
from services.local.supervisor import Supervisor

stage = Stage(Path(sys.argv[1]))
names = ["database", "triton", "worker"]
stages = [[stage.child("database"), stage.child("triton", "parent")], [stage.child("worker", "chatty")]]
output = Output(stage.folder / "logs", names)
code = asyncio.run(Supervisor(stages, output).run(lambda seconds: output.say("all up")))
output.close()
sys.exit(code)
"""


@pytest.fixture
def app(stage: Stage) -> Iterator[subprocess.Popen[str]]:
    """A supervisor in a process of its own, everything up."""
    script = stage.folder / "app.py"
    script.write_text(APP.format(tests=str(Path(__file__).parent)))
    command = [sys.executable, str(script), str(stage.folder)]
    environment = {"PATH": os.defpath, "PYTHONPATH": str(PROJECT), "HOME": str(stage.folder)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        assert process.stdout is not None
        seen: list[str] = []
        while not (seen and "all up" in seen[-1]):
            seen.append(process.stdout.readline())
            assert seen[-1], "".join(seen)
        yield process
        process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -9)])
def test_nothing_is_left(stage: Stage, app: subprocess.Popen[str], number: signal.Signals, code: int) -> None:
    """Children and grandchildren are gone after Ctrl-C, a stop, and even when nobody could stop them any more."""
    grandchild = int(next(e for e in stage.events() if "grandchild" in e).split("=")[1])
    pids = stage.pids()
    assert len(pids) == 3
    app.send_signal(number)
    assert app.wait(timeout=20) == code
    wait_until(lambda: all(map(is_gone, [*pids, grandchild])))


def test_a_closed_terminal_changes_nothing(stage: Stage, app: subprocess.Popen[str]) -> None:
    """`make run | head`: children go on, restarts too, and the log files get the lines."""
    assert app.stdout is not None
    app.stdout.close()
    worker = stage.pids(" ready ")[-1]
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: len(stage.pids(" ready ")) == 4)
    log = stage.folder / "logs" / "undertone.log"
    wait_until(lambda: "worker is back" in log.read_text())
    app.send_signal(signal.SIGTERM)
    assert app.wait(timeout=20) == 0


def wait_until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
