"""What the API answers while something that it depends on is frozen, dead, slow or busy."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest

from services.api.queries import connection as connection_module
from services.api.queries.connection import connection
from services.common.database import open_pool
from services.common.errors import Transient
from services.common.migrations.apply import migrate
from services.common.settings import Settings
from tests.embedded import PASSWORD, running_postgres
from tests.integration.test_api_server import Api, running_api
from tests.ports import free_port
from tests.processes import Service, service
from tests.rows import insert
from tests.waiting import eventually

# A request that takes longer hangs: the test fails.
HANGS_S = 15.0
AWAY = "PostgreSQL does not answer; try again shortly."
KEPT = ("/api/posts", "/api/sentiment/distribution", "/api/sentiment/aggregate?period=minute")
NOT_KEPT = ("/api/posts?source=test", "/api/posts?offset=1", "/api/alerts", "/api/sentiment/distribution?hours=3")


@dataclass
class OwnServer:
    """A PostgreSQL that a test may do anything to."""

    dsn: str
    folder: Path

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(int((self.folder / "postgres" / "postmaster.pid").read_text().split()[0]))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It keeps its connections, accepts new ones, and says nothing on any of them."""
        processes = [self.process, *self.process.children(recursive=True)]
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.resume()


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[OwnServer]:
    """Migrated, with two posts."""
    with running_postgres(tmp_path) as dsn:
        await migrate(dsn)
        database = await asyncpg.connect(dsn)
        for number in range(2):
            await insert(database, f"p{number}")
        await database.close()
        yield OwnServer(dsn, tmp_path)


@asynccontextmanager
async def api_process(settings: Settings, folder: Path) -> AsyncIterator[tuple[Service, httpx.AsyncClient]]:
    """A real process, which has answered everything once; health is degraded, since there is no Triton."""
    port = free_port()
    logs = folder / "logs"
    logs.mkdir()
    async with (
        service("api", settings.model_copy(update={"api_port": port}), logs) as process,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=HANGS_S) as http,
    ):
        await becomes(http, "degraded")
        for path in KEPT:
            assert (await http.get(path)).status_code == 200, path
        yield process, http


async def becomes(http: httpx.AsyncClient, status: str) -> None:
    async def has_become() -> bool:
        with suppress(httpx.TransportError):
            return str((await http.get("/api/health")).json()["status"]) == status
        return False

    await eventually(has_become, f"{status} health", 60)


async def test_a_frozen_database_hangs_nobody_and_old_answers_say_how_old_they_are(
    settings: Settings, own: OwnServer
) -> None:
    async with api_process(settings.model_copy(update={"database_url": own.dsn}), own.folder) as (process, http):
        memory = psutil.Process(process.process.pid).memory_info
        before = memory().rss
        with own.frozen():
            answers = await asyncio.gather(*(http.get(path) for path in NOT_KEPT * 25))
            refused = [answer for answer in answers if answer.status_code == 503]
            assert len(refused) >= settings.api_requests_at_work
            assert {answer.status_code for answer in answers} <= {503, 429}
            assert {answer.json()["detail"] for answer in refused} == {AWAY}
            assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
            for path in KEPT:
                answer = await http.get(path)
                assert answer.status_code == 200, path
                assert int(answer.headers["x-undertone-stale"]) >= 0, path
            assert (await http.get(KEPT[1])).json()["cached"] is True
            await becomes(http, "unhealthy")
            assert memory().rss - before < 100e6
        await becomes(http, "degraded")
        for path in (*KEPT, *NOT_KEPT):

            async def is_fresh(path: str = path) -> bool:
                answer = await http.get(path)
                return answer.status_code == 200 and "x-undertone-stale" not in answer.headers

            await eventually(is_fresh, f"{path} as it is now")
        with own.frozen():
            assert await process.stop() == 0
        assert process.errors == []


async def test_a_database_that_died_is_named_without_its_address_and_what_was_read_stays_readable(
    settings: Settings, own: OwnServer
) -> None:
    async with api_process(settings.model_copy(update={"database_url": own.dsn}), own.folder) as (_, http):
        page = (await http.get("/api/posts")).json()
        os.kill(own.process.pid, signal.SIGKILL)
        await becomes(http, "unhealthy")
        for path in NOT_KEPT:
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["detail"]) == (503, AWAY), path
            assert int(answer.headers["retry-after"]) > 0
            for secret in (PASSWORD, "127.0.0.1", "undertone_test", own.dsn.rpartition(":")[2].partition("/")[0]):
                assert secret not in answer.text
        answer = await http.get("/api/posts")
        assert answer.json() == page
        assert "x-undertone-stale" in answer.headers
        assert (await http.get("/metrics")).status_code == 200


async def test_without_redis_and_triton_everything_that_is_stored_can_be_read(settings: Settings) -> None:
    away = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    async with running_api(away) as api:
        api.inference.works = False
        await api.becomes("degraded")
        for path in (*KEPT, *NOT_KEPT):
            answer = await api.http.get(path)
            assert answer.status_code == 200, path
            assert "x-undertone-stale" not in answer.headers
        assert set((await api.health())["problems"]) >= {"redis does not answer", "triton does not answer"}


@asynccontextmanager
async def locked(database_url: str, table: str) -> AsyncIterator[None]:
    """Whoever reads the table waits."""
    other = await asyncpg.connect(database_url)
    try:
        async with other.transaction():
            await other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await other.close()


async def waiting_for_permits(api: Api) -> float:
    lines = (await api.http.get("/metrics")).text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("undertone_http_requests_waiting "))


async def test_an_overload_is_refused_at_once_and_what_was_admitted_is_answered(
    settings: Settings, database_url: str
) -> None:
    small = settings.model_copy(update={"api_requests_at_work": 1, "api_requests_waiting": 2, "alert_interval_s": 60})
    async with running_api(small) as api:
        await api.becomes("healthy")
        async with locked(database_url, "sentiment_alerts"):
            requests = [asyncio.create_task(api.http.get("/api/alerts")) for _ in range(10)]

            async def are_refused() -> bool:
                return sum(request.done() for request in requests) == 7

            await eventually(are_refused, "seven refusals, while the others still wait")
            assert await waiting_for_permits(api) == 2
            assert (await api.http.get("/api/health")).status_code == 200
        answers = await asyncio.gather(*requests)
        assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 7
        refusal = next(answer for answer in answers if answer.status_code == 429)
        assert int(refusal.headers["retry-after"]) > 0
        assert refusal.json()["detail"]
        assert 'undertone_http_requests_refused_total{reason="full"} 7.0' in (await api.http.get("/metrics")).text


async def test_a_read_that_takes_too_long_is_given_up_and_leaves_a_usable_pool(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "READ_TIMEOUT_S", 0.1)
    async with open_pool(database_url, max_size=1) as pool:
        for _ in range(3):
            with pytest.raises(Transient, match="not answer within") as caught:
                async with connection(pool) as held, held.transaction():
                    await held.execute("SELECT pg_sleep(60)")
            assert caught.value.service == "PostgreSQL"
        async with connection(pool) as held:
            assert await held.fetchval("SELECT 1") == 1


async def test_who_is_cancelled_in_a_read_waits_for_nobody(own: OwnServer) -> None:
    async with open_pool(own.dsn, max_size=1) as pool:
        async with connection(pool) as held:
            assert await held.fetchval("SELECT 1") == 1
        with own.frozen():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2), connection(pool) as held:
                    await held.fetchval("SELECT 1")
            assert pool.get_size() == 0
        async with connection(pool) as held:
            assert await held.fetchval("SELECT 1") == 1


async def test_a_busy_pool_is_a_transient_error_of_postgresql(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "ACQUIRE_TIMEOUT_S", 0.1)
    async with open_pool(database_url, max_size=1) as pool, connection(pool):
        with pytest.raises(Transient) as caught:
            async with connection(pool):
                pass
        assert caught.value.service == "PostgreSQL"
