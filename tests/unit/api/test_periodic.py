"""Background work that fails shows it, and goes on."""

import asyncio

import pytest

from services.api.metrics import ApiMetrics
from services.api.periodic import Periodic
from services.common.errors import Transient


class Work:
    def __init__(self) -> None:
        self.error: Exception | None = None
        self.seconds = 0.0
        self.runs = 0

    async def __call__(self) -> None:
        self.runs += 1
        await asyncio.sleep(self.seconds)
        if self.error:
            raise self.error


def is_ok(periodic: Periodic) -> bool:
    return periodic.ok


def make(work: Work) -> tuple[Periodic, ApiMetrics]:
    metrics = ApiMetrics()
    return Periodic("work", work, metrics, interval_s=0.01, timeout_s=0.05), metrics


@pytest.mark.parametrize("error", [Transient("away"), RuntimeError("a bug")])
async def test_a_failure_shows_until_the_next_success(error: Exception) -> None:
    work = Work()
    periodic, metrics = make(work)
    assert not is_ok(periodic)  # nothing is known yet
    await periodic.run_once()
    assert is_ok(periodic)
    work.error = error
    await periodic.run_once()
    assert not is_ok(periodic)
    assert metrics.registry.get_sample_value("undertone_task_failures_total", {"task": "work"}) == 1
    work.error = None
    await periodic.run_once()
    assert is_ok(periodic)


async def test_work_that_hangs_is_ended_and_counts_as_failed() -> None:
    work = Work()
    work.seconds = 60
    periodic, _ = make(work)
    async with asyncio.timeout(5):
        await periodic.run_once()
    assert not is_ok(periodic)


async def test_a_success_does_not_last_for_ever() -> None:
    periodic, _ = make(Work())
    await periodic.run_once()
    async with asyncio.timeout(5):
        while is_ok(periodic):
            await asyncio.sleep(0.01)


async def test_it_goes_on_after_failures() -> None:
    work = Work()
    work.error = RuntimeError("a bug")
    periodic, _ = make(work)
    running = asyncio.create_task(periodic.run())
    async with asyncio.timeout(5):
        while work.runs < 3:
            await asyncio.sleep(0.01)
    running.cancel()
