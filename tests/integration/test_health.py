"""`python -m services.health`, as a container runs it, tells the truth of real processes; and the keeper keeps."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import asyncpg

from services.common.settings import Settings
from tests.conftest import ROOT, environment_of
from tests.integration.test_upkeep import days, suffix
from tests.ports import free_port
from tests.processes import service
from tests.waiting import eventually


async def ask(name: str, settings: Settings) -> tuple[int, str]:
    """The exit status and the sentence."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.health", name),
        cwd=ROOT,
        env=environment_of(settings) | {"PYTHONPATH": os.fspath(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    assert output.count(b"\n") == 1
    return process.returncode, output.decode().strip()


async def says(name: str, settings: Settings, status: int, what: str) -> None:
    async def said() -> bool:
        answered, sentence = await ask(name, settings)
        return answered == status and what in sentence

    await eventually(said, f"{name}: {what}", 60)


async def test_a_worker_is_healthy_once_it_is_ready_and_while_it_runs(
    triton_settings: Settings, tmp_path: Path
) -> None:
    there = triton_settings.model_copy(update={"worker_metrics_port": free_port()})
    await says("worker", there, 1, "nothing answers")
    async with service("worker", there, tmp_path) as worker:
        await says("worker", there, 0, "worker works")
        worker.process.send_signal(signal.SIGSTOP)
        await says("worker", there, 1, "timed out")
        worker.process.send_signal(signal.SIGCONT)
        await says("worker", there, 0, "worker works")
        assert await worker.stop() == 0
    await says("worker", there, 1, "nothing answers")


async def test_a_worker_without_triton_is_not_healthy(settings: Settings, tmp_path: Path) -> None:
    there = settings.model_copy(update={"worker_metrics_port": free_port()})
    async with service("worker", there, tmp_path):
        await says("worker", there, 1, "not ready")


async def test_an_ingester_is_healthy_also_while_redis_is_away(settings: Settings, tmp_path: Path) -> None:
    there = settings.model_copy(update={"ingester_metrics_port": free_port(), "redis_url": "redis://127.0.0.1:1/0"})
    async with service("ingester", there, tmp_path) as ingester:
        await says("ingester", there, 0, "ingester works")
        assert await ingester.stop() == 0
    await says("ingester", there, 1, "nothing answers")


async def test_the_api_is_healthy_while_it_has_a_database(settings: Settings, tmp_path: Path) -> None:
    there = settings.model_copy(update={"api_port": free_port()})
    async with service("api", there, tmp_path):
        await says("api", there, 0, "api is degraded: triton does not answer")
    away = there.model_copy(update={"database_url": "postgresql://u:p@127.0.0.1:1/x"})
    async with service("api", away, tmp_path):
        await says("api", away, 1, "database does not answer")


async def test_the_keeper_keeps_what_workers_leave_to_it_and_ends_in_good_order(
    settings: Settings, database: asyncpg.Connection, tmp_path: Path
) -> None:
    there = settings.model_copy(update={"keeper_metrics_port": free_port()})
    assert suffix(3) not in await days(database)
    async with service("keeper", there, tmp_path, module="services.worker.upkeep") as keeper:
        await says("keeper", there, 0, "keeper works")

        async def kept() -> bool:
            return suffix(3) in await days(database)

        await eventually(kept, "a partition ahead")
        assert await keeper.stop() == 0, keeper.output
    await says("keeper", there, 1, "nothing answers")


async def test_a_worker_without_upkeep_leaves_it_to_the_keeper(
    triton_settings: Settings, database: asyncpg.Connection, tmp_path: Path
) -> None:
    there = triton_settings.model_copy(update={"worker_metrics_port": free_port(), "worker_upkeep": False})
    async with service("worker", there, tmp_path) as worker:
        await says("worker", there, 0, "worker works")
        assert await worker.stop() == 0
    assert suffix(3) not in await days(database)
