"""Behind PgBouncer in transaction mode everything works as before; and what only reads may ask a replica."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from services.common.database import open_pool
from services.common.migrations.grants import API, MIGRATE, WORKER
from services.common.settings import Settings
from services.common.streams import open_redis
from services.worker.store import store
from tests.integration.alert_rules import BODY, written
from tests.integration.database_roles import as_role, deploy
from tests.integration.pgbouncer import NEEDED, SESSIONS, running_pgbouncer
from tests.integration.test_api_server import running_api
from tests.integration.test_store import analysed
from tests.integration.test_worker import nothing_is_open, publish, stored
from tests.posts import make_posts
from tests.processes import service
from tests.rows import assert_rollups_are_a_recount
from tests.waiting import eventually

NOW = datetime(2026, 5, 1, tzinfo=UTC)
CLIENTS = 8
ROUNDS = 6


@pytest.fixture
def pooled_url(database_url: str) -> Iterator[str]:
    with running_pgbouncer(database_url) as url:
        yield url


@NEEDED
async def test_many_clients_share_few_sessions_and_every_post_is_stored_once(
    pooled_url: str, database: asyncpg.Connection
) -> None:
    """Statements of different clients and with different parameters take turns in one session."""

    async def client(number: int, pool: asyncpg.Pool) -> int:
        new = 0
        for turn in range(ROUNDS):
            posts = make_posts(20, seed=turn, prefix=f"client-{number // 2}")
            new += len(await store(pool, analysed(posts), NOW))
            assert await pool.fetchval("SELECT $1::int + $2::int", number, turn) == number + turn
            assert await pool.fetchval("SELECT $1::text", str(number)) == str(number)
        return new

    async with AsyncExitStack() as stack:
        pools = [
            await stack.enter_async_context(open_pool(pooled_url, max_size=2, shares_sessions=True))
            for _ in range(CLIENTS)
        ]
        stored_by_all = await asyncio.gather(*(client(number, pool) for number, pool in enumerate(pools)))
        sessions = await database.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert sessions <= SESSIONS
    # Each post was offered by two clients.
    assert sum(stored_by_all) == CLIENTS // 2 * ROUNDS * 20
    assert await database.fetchval("SELECT count(*) FROM social_media_posts") == sum(stored_by_all)
    await assert_rollups_are_a_recount(database)


@NEEDED
@pytest.mark.long
@pytest.mark.timeout(180)
async def test_worker_keeper_and_api_work_through_it_with_roles_of_their_own(
    small_triton_settings: Settings, empty_database_url: str, tmp_path: Path
) -> None:
    """The keeper alone uses sessions of its own: what it does holds a lock for longer than a transaction."""
    await deploy(empty_database_url)
    with running_pgbouncer(empty_database_url) as url:
        of_worker, of_api = (
            small_triton_settings.model_copy(
                update={
                    "database_url": as_role(url, role),
                    "postgres_direct_dsn": as_role(empty_database_url, direct),
                    "worker_upkeep": False,
                    "keeper_metrics_port": 0,
                }
            )
            for role, direct in ((WORKER, MIGRATE), (API, API))
        )
        posts = make_posts(200)
        async with (
            service("worker", of_worker, tmp_path) as worker,
            service("keeper", of_worker, tmp_path, module="services.worker.upkeep") as keeper,
            running_api(of_api) as api,
            open_redis(of_worker.redis_dsn) as client,
        ):
            await publish(client, of_worker.redis_stream_name, posts)
            await api.becomes("healthy")
            await written(api, "POST", "alert-rules", BODY | {"keyword": "train"}, 201)
            await eventually(lambda: nothing_is_open(client, of_worker), "everything is acknowledged", 60)
            found = await asyncio.gather(*(api.get("/api/posts", limit=50) for _ in range(20)))
            assert {len(page["posts"]) for page in found} == {50}
            assert await worker.stop() == 0, worker.output
            assert await keeper.stop() == 0, keeper.output
            assert worker.errors == keeper.errors == []
    assert await stored(empty_database_url) == len(posts)


async def test_what_only_reads_asks_the_replica_and_what_changes_the_server(
    settings: Settings, database_url: str, pool: asyncpg.Pool, postgres: str
) -> None:
    """The replica is another database here, which tells by its posts who was asked."""
    name = f"{database_url.rpartition('/')[2]}_replica"
    admin = await asyncpg.connect(postgres)
    replica = f"{database_url.rpartition('/')[0]}/{name}"
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {database_url.rpartition('/')[2]}")
        async with open_pool(replica, max_size=1) as theirs:
            await store(theirs, analysed(make_posts(3, prefix="replica")), NOW)
        async with running_api(settings.model_copy(update={"postgres_read_dsn": replica})) as api:

            async def posts_are_there() -> bool:
                return len((await api.get("/api/posts"))["posts"]) == 3

            await eventually(posts_are_there, "the replica's posts are read")
            await written(api, "POST", "alert-rules", BODY, 201)
            # Who has changed something reads it again at once.
            assert "Trains" in [rule["name"] for rule in (await api.get("/api/alert-rules"))["rules"]]
            assert await pool.fetchval("SELECT count(*) FROM alert_rules") == 1
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await admin.close()
