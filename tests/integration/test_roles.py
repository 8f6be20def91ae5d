"""Each role of the database can do its work, all of it, and nothing else."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.common.database import open_pool
from services.common.errors import ConfigurationError, Transient
from services.common.migrations.apply import migrate
from services.common.migrations.grants import API, MIGRATE, MONITOR, READ, WORKER
from services.common.migrations.roles import make_roles
from services.common.moments import DAY
from services.common.partitions import create_partitions
from services.common.settings import Settings
from services.common.streams import open_redis
from services.worker.store import store
from services.worker.upkeep.closing import close_buckets, quiet_before
from services.worker.upkeep.retention import drop_old_days
from services.worker.upkeep.search_index import index_words
from tests.conftest import ROOT
from tests.integration.database_roles import PASSWORDS, as_role, deploy
from tests.integration.test_migrations import migrate_to
from tests.integration.test_store import analysed
from tests.integration.test_upkeep import days, suffix
from tests.integration.test_worker import nothing_is_open, publish, stored
from tests.posts import make_posts
from tests.processes import service
from tests.rows import assert_rollups_are_a_recount, insert
from tests.waiting import eventually

NOW = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
async def deployed(empty_database_url: str) -> str:
    """A database as a deployment makes it; the DSN is the superuser's."""
    await deploy(empty_database_url)
    return empty_database_url


@asynccontextmanager
async def connected(dsn: str, role: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(as_role(dsn, role))
    try:
        yield connection
    finally:
        await connection.close()


def settings_as(settings: Settings, dsn: str, role: str, **changes: Any) -> Settings:
    return settings.model_copy(update={"database_url": as_role(dsn, role), **changes})


async def test_posts_go_all_the_way_with_the_roles_of_a_deployment(
    triton_settings: Settings, deployed: str, tmp_path: Path
) -> None:
    posts = make_posts(50)
    as_worker = settings_as(triton_settings, deployed, WORKER, worker_upkeep=False)
    as_keeper = settings_as(triton_settings, deployed, MIGRATE, keeper_metrics_port=0)
    database = await asyncpg.connect(deployed)
    async with (
        open_redis(triton_settings.redis_dsn) as redis,
        service("keeper", as_keeper, tmp_path, module="services.worker.upkeep") as keeper,
        service("worker", as_worker, tmp_path) as worker,
    ):
        await publish(redis, triton_settings.redis_stream_name, posts)
        await eventually(lambda: nothing_is_open(redis, triton_settings), "everything acknowledged", 60)

        async def kept() -> bool:
            return bool(
                await database.fetchval(
                    "SELECT EXISTS (SELECT FROM pg_indexes WHERE indexname ~ '_search$')"
                    "   AND EXISTS (SELECT FROM rollup_progress WHERE hours_before > now() - interval '2 hours')"
                )
            )

        await eventually(kept, "a round of the keeper")
        assert suffix(3) in await days(database)
        for process in (worker, keeper):
            assert await process.stop() == 0, process.output
            assert not process.errors
    await database.close()
    assert await stored(as_role(deployed, READ)) == len(posts)


async def test_a_worker_waits_for_a_migration_that_it_may_not_run(
    settings: Settings, empty_database_url: str, tmp_path: Path
) -> None:
    await make_roles(empty_database_url, PASSWORDS)
    async with service("worker", settings_as(settings, empty_database_url, WORKER), tmp_path) as worker:

        async def told() -> bool:
            return "may not change it" in worker.output

        await eventually(told, "it says what it waits for")
        assert worker.process.returncode is None
        await migrate(as_role(empty_database_url, MIGRATE))
        # Then it waits for Triton, which is not there.
        await eventually(lambda: _says(worker.output, "Triton"), "it goes on")
        assert await worker.stop() == 0


async def _says(output: str, what: str) -> bool:
    return what in output


REFUSED = {
    WORKER: (
        "DROP TABLE social_media_posts",
        "ALTER TABLE social_media_posts ADD COLUMN x int",
        "TRUNCATE social_media_posts",
        "DELETE FROM social_media_posts",
        "UPDATE sentiment_analysis SET sentiment_label = 'positive'",
        "SELECT content FROM social_media_posts",
        "SELECT body FROM alert_deliveries",
        "INSERT INTO alert_rule_states VALUES (1, 1, 1, now())",
        "UPDATE rollup_progress SET hours_before = 'infinity'",
        "UPDATE alembic_version SET version_num = '9999'",
        "CREATE TABLE mine ()",
        "CREATE TEMPORARY TABLE mine ()",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
        "CREATE INDEX ON social_media_posts (author)",
        f"SET ROLE {MIGRATE}",
        f"SET ROLE {API}",
        f"ALTER ROLE {WORKER} SUPERUSER",
    ),
    API: (
        "INSERT INTO social_media_posts (post_id, source, content, created_at) VALUES ('p', 's', 'c', now())",
        "UPDATE sentiment_minutes SET posts = 0",
        "DELETE FROM social_media_posts",
        "DELETE FROM sentiment_alerts",
        "DELETE FROM alert_deliveries",
        "SELECT nextval('social_media_posts_number')",
        "UPDATE rollup_progress SET hours_before = 'infinity'",
        "DROP TABLE alert_rules",
        "TRUNCATE alert_rules",
        "CREATE TABLE mine ()",
        "CREATE TEMPORARY TABLE mine ()",
        f"SET ROLE {WORKER}",
    ),
    READ: (
        "INSERT INTO social_media_posts (post_id, source, content, created_at) VALUES ('p', 's', 'c', now())",
        "INSERT INTO alert_rule_states VALUES (1, 1, 1, now())",
        "UPDATE sentiment_alerts SET details = NULL",
        "DELETE FROM alert_rules",
        "TRUNCATE alert_rules",
        "CREATE TABLE mine ()",
        "CREATE TEMPORARY TABLE mine ()",
        "DROP TABLE social_media_posts",
        f"SET ROLE {API}",
    ),
    MONITOR: (
        "SELECT content FROM public.social_media_posts",
        "SELECT count(*) FROM public.alert_rules",
        "INSERT INTO public.alert_rule_states VALUES (1, 1, 1, now())",
        "CREATE TABLE public.mine ()",
        "CREATE TEMPORARY TABLE mine ()",
    ),
    MIGRATE: ("CREATE ROLE mine", "CREATE DATABASE mine", f"ALTER ROLE {READ} PASSWORD 'x'"),
}
OF_THE_SERVER = (
    "SELECT pg_read_file('/etc/passwd')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/x'",
    "SELECT rolpassword FROM pg_authid",
    "ALTER SYSTEM SET log_statement = 'all'",
    "CREATE SCHEMA mine",
    "SELECT pg_terminate_backend(pg_backend_pid()) FROM pg_authid",
)


@pytest.mark.parametrize("role", REFUSED)
async def test_a_role_is_refused_what_is_not_its_work(deployed: str, role: str) -> None:
    async with connected(deployed, role) as connection:
        await connection.execute("SET default_transaction_read_only = off")
        for statement in (*REFUSED[role], *OF_THE_SERVER):
            try:
                await connection.execute(statement)
            except asyncpg.InsufficientPrivilegeError:
                continue
            raise AssertionError(f"{role} may {statement}")


async def test_nobody_else_gets_in(deployed: str) -> None:
    admin = await asyncpg.connect(deployed)
    await admin.execute("CREATE ROLE somebody LOGIN PASSWORD 'only-for-tests'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
        await asyncpg.connect(as_role(deployed, "somebody", "only-for-tests"))
    await admin.execute("DROP ROLE somebody")
    await admin.close()


async def test_what_the_keeper_makes_tomorrow_is_written_and_read_with_the_same_rights(deployed: str) -> None:
    async with connected(deployed, MIGRATE) as keeper, connected(deployed, READ) as reader:
        await keeper.execute("SELECT create_post_partitions(current_date + 40)")
        async with open_pool(as_role(deployed, WORKER), max_size=1) as pool:
            assert len(await store(pool, analysed(make_posts(3)), NOW)) == 3
            await pool.execute(
                "INSERT INTO social_media_posts (id, post_id, source, content, created_at)"
                " VALUES (first_id_at(now() + interval '40 days'), 'p', 's', 'c', now())"
            )
        assert await reader.fetchval(f"SELECT count(*) FROM social_media_posts_{suffix(40)}") == 1


async def test_a_worker_waits_where_the_keeper_has_made_no_partition(deployed: str) -> None:
    admin = await asyncpg.connect(deployed)
    async with open_pool(as_role(deployed, WORKER), max_size=1) as pool, connected(deployed, MIGRATE) as keeper:
        for table in ("sentiment_analysis", "social_media_posts"):
            await admin.execute(f"DROP TABLE {table}_{suffix(0)}")
        with pytest.raises(Transient, match=r"services\.worker\.upkeep"):
            await store(pool, analysed(make_posts(1)), NOW)
        await create_partitions(keeper)
        assert len(await store(pool, analysed(make_posts(1)), NOW)) == 1
    await admin.close()


async def test_the_keeper_does_all_its_work(deployed: str) -> None:
    async with connected(deployed, MIGRATE) as keeper:
        for ago in range(4):
            await insert(keeper, f"p{ago}", ingested_at=datetime.now(UTC) - ago * DAY)
        await close_buckets(keeper)
        assert await index_words(keeper)
        await drop_old_days(keeper, 1)
        assert await keeper.fetchval("SELECT count(*) FROM social_media_posts") == 2
        await assert_rollups_are_a_recount(keeper)


@pytest.mark.parametrize("role", [MIGRATE, API])
async def test_who_asks_what_is_complete_sees_since_when_a_worker_writes(deployed: str, role: str) -> None:
    async with connected(deployed, WORKER) as worker, connected(deployed, role) as asking, worker.transaction():
        began = await worker.fetchval("SELECT now()")
        assert await quiet_before(asking, timedelta()) == began


async def test_nothing_is_closed_by_who_cannot_see_the_writers(deployed: str) -> None:
    admin = await asyncpg.connect(deployed)
    await admin.execute(f"REVOKE pg_read_all_stats FROM {MIGRATE}")
    try:
        async with connected(deployed, WORKER), connected(deployed, MIGRATE) as keeper:
            with pytest.raises(RuntimeError, match=f"{WORKER} stores posts"):
                await close_buckets(keeper)
    finally:
        await admin.execute(f"GRANT pg_read_all_stats TO {MIGRATE}")
        await admin.close()


@pytest.mark.parametrize("owner", ["undertone", "former"])
async def test_a_database_of_another_owner_is_taken_over_with_all_that_is_in_it(
    empty_database_url: str, owner: str
) -> None:
    admin = await asyncpg.connect(empty_database_url)
    former = empty_database_url
    if owner == "former":
        await admin.execute(
            "CREATE ROLE former LOGIN PASSWORD 'only-for-tests'; GRANT CREATE ON SCHEMA public TO former"
        )
        former = as_role(empty_database_url, "former", "only-for-tests")
    await migrate_to(former, "0006")
    await insert(admin, "p")
    await deploy(empty_database_url)
    owners = await admin.fetch(
        "SELECT relname, relowner::regrole::text AS owner FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " UNION SELECT proname, proowner::regrole::text FROM pg_proc JOIN pg_language l ON l.oid = prolang"
        "  WHERE pronamespace = 'public'::regnamespace AND lanname <> 'c'"
    )
    assert {row["owner"] for row in owners} == {MIGRATE}
    async with connected(empty_database_url, MIGRATE) as keeper, connected(empty_database_url, API) as api:
        await create_partitions(keeper, 9)
        await close_buckets(keeper)
        assert await api.fetchval("SELECT count(*) FROM social_media_posts") == 1
        await api.execute("DELETE FROM alert_rules")
    if owner == "former":
        await admin.execute("REVOKE ALL ON SCHEMA public FROM former; DROP ROLE former")
    await admin.close()


async def test_what_belongs_to_nobody_of_ours_stays_whose_it_is(empty_database_url: str) -> None:
    admin = await asyncpg.connect(empty_database_url)
    await admin.execute("CREATE ROLE other; CREATE TABLE theirs (); ALTER TABLE theirs OWNER TO other")
    await deploy(empty_database_url)
    assert await admin.fetchval("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'theirs'") == "other"
    await admin.execute("DROP TABLE theirs; DROP ROLE other")
    await admin.close()


async def test_running_it_again_renews_passwords_and_changes_nothing_else(deployed: str) -> None:
    admin = await asyncpg.connect(deployed)
    rights = "SELECT relname, relacl::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    before = await admin.fetch(rights)
    # A right that somebody has given meanwhile goes.
    await admin.execute(f"GRANT DELETE ON social_media_posts TO {WORKER}")
    await make_roles(deployed, PASSWORDS | {WORKER: "another-one"})
    assert await admin.fetch(rights) == before
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(as_role(deployed, WORKER))
    await (await asyncpg.connect(as_role(deployed, WORKER, "another-one"))).close()
    await make_roles(deployed, PASSWORDS)
    await admin.close()


async def test_no_statement_has_a_password_in_it(deployed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in no statement is in no log and in no statistics."""
    statements: list[str] = []
    connect = asyncpg.connect

    async def overheard(*arguments: Any, **options: Any) -> asyncpg.Connection:
        connection: asyncpg.Connection = await connect(*arguments, **options)
        connection.add_query_logger(lambda record: statements.append(f"{record.query} {record.args}"))
        return connection

    monkeypatch.setattr(asyncpg, "connect", overheard)
    await make_roles(deployed, PASSWORDS)
    assert any("ALTER ROLE undertone_worker LOGIN" in statement for statement in statements)
    assert not [statement for statement in statements for word in PASSWORDS.values() if word in statement]


async def test_only_a_superuser_makes_roles(deployed: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{MIGRATE} cannot make roles: POSTGRES_USER"):
        await make_roles(as_role(deployed, MIGRATE), PASSWORDS)


async def test_the_command_names_every_password_that_is_missing(deployed: str, tmp_path: Path) -> None:
    given = {f"{role.replace('undertone', 'POSTGRES').upper()}_PASSWORD": word for role, word in PASSWORDS.items()}

    async def run(environment: dict[str, str]) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.common.migrations.roles"),
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.fspath(ROOT), "DATABASE_URL": deployed, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()

    status, output = await run(given | {"POSTGRES_API_PASSWORD": "", "POSTGRES_READ_PASSWORD": "two words"})
    assert status == 1
    assert "POSTGRES_API_PASSWORD" in output
    assert "POSTGRES_READ_PASSWORD" in output
    assert "POSTGRES_WORKER_PASSWORD" not in output
    assert "two words" not in output
    assert await run(given) == (0, f"the roles {', '.join(PASSWORDS)} are as they must be\n")
