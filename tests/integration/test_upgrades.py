"""Old and new versions side by side: the schema moves while both of them write and read."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import asyncpg
import httpx
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from services.common.database import open_pool
from services.common.errors import ConfigurationError, Transient
from services.common.messages import Analysis, Post
from services.common.migrations import apply
from services.common.migrations.apply import MIGRATION_LOCK, MIGRATIONS, migrate
from services.common.settings import Settings
from services.common.streams import open_redis
from services.worker.store import store
from services.worker.upkeep.closing import close_buckets
from tests.integration.store_before import store_before_0006
from tests.integration.test_migrations import migrate_to
from tests.integration.test_worker import publish
from tests.ports import free_port
from tests.posts import make_posts
from tests.processes import Service, service
from tests.rows import assert_rollups_are_a_recount, make_older
from tests.waiting import eventually

pytestmark = pytest.mark.long

# The last revision that needs a stop.
OLD = "0003"
WRITERS = 4
BATCH_POSTS = 20
EVERY_TABLE = (
    "social_media_posts",
    "sentiment_analysis",
    "social_media_post_keys",
    "sentiment_alerts",
    "rollup_progress",
    "analysis_batches",
    *(f"alert_{name}" for name in ("rules", "rule_states", "keyword_minutes", "keyword_progress", "deliveries")),
    *(f"{kind}_{width}s" for kind in ("sentiment", "emotion") for width in ("minute", "ten_minute", "hour", "day")),
)
# Waiting for a lock, by the table's name.
WAITERS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'social_media_posts'::regclass"


def next_version(folder: Path, *statements: str) -> tuple[Path, str]:
    """The migrations of a later version, which has one more for each statement; its last revision."""
    migrations = folder / "migrations"
    shutil.copytree(MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    config = Config()
    config.set_main_option("script_location", str(migrations))
    last = ScriptDirectory.from_config(config).get_current_head()
    assert last is not None
    for statement in statements:
        revision = f"{int(last) + 1:04}"
        (migrations / "versions" / f"{revision}_next.py").write_text(
            "from alembic import op\n"
            f"revision, down_revision = {revision!r}, {last!r}\n"
            f"def upgrade() -> None:\n    op.execute({statement!r})\n"
        )
        last = revision
    return migrations, last


def one_column_more() -> list[str]:
    return [f"ALTER TABLE {table} ADD COLUMN of_the_next_version text" for table in EVERY_TABLE]


def analysed(posts: list[Post]) -> list[tuple[Post, Analysis]]:
    analysis = Analysis(
        model_name="m", sentiment_label="positive", confidence=0.75, emotion="joy", emotion_confidence=0.5
    )
    return [(post, analysis) for post in posts]


class Writers:
    """Store without a pause, each of them its own posts and again some of the posts of the others.

    All begin as workers of the version before.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.batches = [0] * WRITERS
        self._pool = pool
        self._of_today: set[int] = set()
        self._stopping = False

    async def run(self, number: int) -> None:
        for batch in count():
            if self._stopping:
                return
            own = make_posts(BATCH_POSTS, seed=batch, prefix=f"writer{number}")
            shared = make_posts(BATCH_POSTS, seed=batch, prefix="shared")
            posts, now = analysed(own + shared), datetime.now(UTC)
            if number in self._of_today:
                await store(self._pool, posts, now)
            else:
                await store_before_0006(self._pool, posts, now)
            self.batches[number] += 1

    def restart_half(self) -> None:
        """Every other one goes on as a worker of today."""
        self._of_today = set(range(0, WRITERS, 2))

    def stop(self) -> None:
        self._stopping = True

    async def go_on(self) -> None:
        """Returns when every writer has stored something that it had not begun before."""
        before = list(self.batches)

        async def all_went_on() -> bool:
            return all(now > then + 1 for now, then in zip(self.batches, before, strict=True))

        await eventually(all_went_on, "every writer goes on")

    @property
    def posts(self) -> int:
        return BATCH_POSTS * (sum(self.batches) + max(self.batches))


@asynccontextmanager
async def writing(dsn: str) -> AsyncIterator[Writers]:
    """Writers at work for the block; the first one that fails fails the test."""
    async with open_pool(dsn, max_size=WRITERS) as pool, asyncio.TaskGroup() as tasks:
        writers = Writers(pool)
        for number in range(WRITERS):
            tasks.create_task(writers.run(number))
        yield writers
        writers.stop()


@pytest.fixture
async def database(empty_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the empty database, which gets the old schema."""
    await migrate_to(empty_database_url, OLD)
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(
        "SELECT create_post_partitions((now() AT TIME ZONE 'UTC')::date + n) FROM generate_series(0, 1) AS n"
    )
    yield connection
    await connection.close()


async def test_writers_go_on_through_every_migration_and_each_post_is_counted_once(
    empty_database_url: str, database: asyncpg.Connection, tmp_path: Path
) -> None:
    """From the old schema to ours, and on to that of a later version."""
    later, _ = next_version(tmp_path, *one_column_more())
    async with writing(empty_database_url) as writers:
        await writers.go_on()
        await migrate(empty_database_url)
        await writers.go_on()
        writers.restart_half()
        await writers.go_on()
        await migrate(empty_database_url, later)
        await writers.go_on()
    assert await database.fetchval("SELECT count(*) FROM social_media_posts") == writers.posts
    assert await database.fetchval("SELECT count(*) FROM sentiment_analysis") == writers.posts
    await assert_rollups_are_a_recount(database)
    await make_older(database, timedelta(days=2), recount=False)
    await close_buckets(database)
    assert await database.fetchval("SELECT sum(posts) FROM sentiment_days") == writers.posts
    await assert_rollups_are_a_recount(database)


async def test_a_migration_behind_a_long_reader_lets_the_writers_pass_and_succeeds_after_it(
    empty_database_url: str, database: asyncpg.Connection, tmp_path: Path
) -> None:
    later, revision = next_version(tmp_path, "ALTER TABLE social_media_posts ADD COLUMN language text")
    await migrate(empty_database_url)
    reader = await asyncpg.connect(empty_database_url)

    async def waiting() -> int:
        return int(await database.fetchval(WAITERS))

    async with open_pool(empty_database_url, max_size=1) as pool, asyncio.timeout(60):
        async with reader.transaction():
            await reader.fetch("SELECT count(*) FROM social_media_posts")
            migrating = asyncio.create_task(migrate(empty_database_url, later))
            await eventually(waiting, "the migration waits for the reader")
            writing = asyncio.create_task(store(pool, analysed(make_posts(5)), datetime.now(UTC)))
            with pytest.raises(Transient, match="long transaction"):
                await migrating
            assert len(await writing) == 5
        await migrate(empty_database_url, later)
    assert await database.fetchval("SELECT version_num FROM alembic_version") == revision
    await reader.close()


async def test_a_migration_waits_for_that_of_another_process_as_long_as_it_takes(
    empty_database_url: str, database: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only for tables it has no time."""
    monkeypatch.setattr(apply, "LOCK_TIMEOUT_MS", 50)
    other = await asyncpg.connect(empty_database_url)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        async with other.transaction():
            await other.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
            for _ in range(3):
                tasks.create_task(migrate(empty_database_url))

            async def waited() -> bool:
                return bool(
                    await database.fetchval(
                        """SELECT count(*) = 3 FROM pg_locks JOIN pg_stat_activity USING (pid)
                            WHERE locktype = 'advisory' AND NOT granted AND clock_timestamp() - query_start > '1 s'"""
                    )
                )

            await eventually(waited, "all three wait for longer than they would for a table")
        await other.close()
    assert await database.fetchval("SELECT to_regclass('sentiment_ten_minutes') IS NOT NULL")


async def test_a_schema_of_a_later_version_stays_as_it_is(database_url: str, tmp_path: Path) -> None:
    later, revision = next_version(tmp_path, *one_column_more())
    await migrate(database_url, later)
    await migrate(database_url)
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == revision
    await connection.close()


@pytest.mark.parametrize("revision", ["ae1027a6acf1", "0000", "00050", "v005"])
async def test_a_schema_of_another_program_is_refused_with_a_sentence(database_url: str, revision: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE alembic_version SET version_num = $1", revision)
    await connection.close()
    with pytest.raises(ConfigurationError, match="another program"):
        await migrate(database_url)


async def test_worker_and_api_of_the_version_before_work_on_through_an_upgrade_and_start_after_it(
    triton_settings: Settings, tmp_path: Path
) -> None:
    (folder := tmp_path / "next").mkdir()
    later, _ = next_version(folder, *one_column_more())
    port = free_port()
    settings = triton_settings.model_copy(update={"api_port": port})
    posts = make_posts(30)

    @asynccontextmanager
    async def old_version() -> AsyncIterator[tuple[Service, Service]]:
        async with service("worker", settings, tmp_path) as worker, service("api", settings, tmp_path) as api:
            yield worker, api
            assert [await worker.stop(), await api.stop()] == [0, 0]
            for process in (worker, api):
                assert "Traceback" not in process.output

    async with (
        open_redis(settings.redis_dsn) as redis,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http,
    ):

        async def shown() -> int:
            with suppress(httpx.TransportError):
                answer = await http.get("/api/posts", params={"limit": 1})
                return int(answer.json()["total"]) if answer.status_code == 200 else 0
            return 0

        async def all_arrive(count: int) -> None:
            await publish(redis, settings.redis_stream_name, posts[count - 10 : count])

            async def are_shown() -> bool:
                return await shown() == count

            await eventually(are_shown, "the API shows all posts", 90)

        async with old_version():
            await all_arrive(10)
            await migrate(settings.database_dsn, later)
            await all_arrive(20)
        async with old_version() as services:
            await all_arrive(30)
            for process in services:
                assert "newer version" in process.output
    connection = await asyncpg.connect(settings.database_dsn)
    await assert_rollups_are_a_recount(connection)
    await connection.close()
