"""The schema is the contract's, however many processes bring it up at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from services.common import migrations
from services.common.database import database_errors, open_pool
from services.common.errors import ConfigurationError, Transient
from services.common.messages import Analysis, Post
from services.common.migrations import apply
from services.common.migrations.apply import migrate
from services.worker.store import store
from tests.chaos.proxy import Proxy
from tests.rows import assert_rollups_are_a_recount

CONTRACT = {
    "social_media_posts": {"id", "post_id", "source", "content", "author", "created_at", "ingested_at"},
    "sentiment_analysis": {
        "id",
        "post_id",
        "model_name",
        "model_version",
        "emotion_model_name",
        "emotion_model_version",
        "sentiment_label",
        "confidence_score",
        "emotion",
        "analyzed_at",
    },
    "sentiment_alerts": {
        "id",
        "alert_type",
        "threshold_value",
        "actual_value",
        "window_start",
        "window_end",
        "post_count",
        "triggered_at",
        "details",
    },
}


async def test_many_migrations_at_once_bring_the_contracts_tables(empty_database_url: str) -> None:
    await asyncio.gather(*(migrate(empty_database_url) for _ in range(6)))
    connection = await asyncpg.connect(empty_database_url)
    rows = await connection.fetch("SELECT table_name, column_name FROM information_schema.columns")
    await connection.close()
    for table, columns in CONTRACT.items():
        assert columns <= {row["column_name"] for row in rows if row["table_name"] == table}


async def migrate_to(dsn: str, revision: str) -> None:
    """Brings up an older schema."""

    def upgrade(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()


async def test_analyses_from_before_versions_were_recorded_are_kept(empty_database_url: str) -> None:
    """The first schema with a row in it, brought up to date; the table is not written anew."""
    connection = await asyncpg.connect(empty_database_url)
    await migrate_to(empty_database_url, "0001")
    await connection.execute(
        """WITH post AS (INSERT INTO social_media_posts (post_id, source, content, created_at)
                         VALUES ('p', 'test', 'text', now()) RETURNING post_id)
           INSERT INTO sentiment_analysis (post_id, model_name, sentiment_label, confidence_score)
           SELECT post_id, 'model', 'neutral', 0.5 FROM post"""
    )
    file_of_table = "SELECT pg_relation_filenode('sentiment_analysis')"
    before = await connection.fetchval(file_of_table)
    await migrate_to(empty_database_url, "0002")
    assert await connection.fetchval(file_of_table) == before
    await migrate(empty_database_url)
    row = await connection.fetchrow(
        "SELECT model_name, model_version, emotion_model_name, emotion_model_version FROM sentiment_analysis"
    )
    assert row is not None
    assert tuple(row) == ("model", 0, None, None)
    await connection.close()


async def test_posts_from_before_there_were_partitions_are_carried_over(empty_database_url: str) -> None:
    """Everything is there, in the order of arrival, by day, counted by the minute, and found when it comes again."""
    database = await asyncpg.connect(empty_database_url)
    await migrate_to(empty_database_url, "0002")
    await database.execute(
        """
        INSERT INTO social_media_posts (post_id, source, content, author, created_at, ingested_at)
        SELECT 'p' || n, 'source' || n % 3, 'text ' || n, 'me', '2020-01-01Z'::timestamptz + n * interval '1 day',
               date_trunc('milliseconds', now()) - (200 - n) / 20 * interval '7 hours'
          FROM generate_series(1, 200) AS n;
        INSERT INTO sentiment_analysis
               (post_id, model_name, sentiment_label, confidence_score, emotion, emotion_confidence, analyzed_at,
                model_version, emotion_model_name, emotion_model_version)
        SELECT 'p' || n, 'model', (ARRAY['positive', 'negative', 'neutral'])[n % 3 + 1], 0.5 + n / 1000.0,
               CASE WHEN n % 4 > 0 THEN 'joy' END, 0.5, now(), 2, 'moods', 3
          FROM generate_series(1, 190) AS n;
        INSERT INTO sentiment_analysis (post_id, model_name, sentiment_label, confidence_score)
        SELECT 'p' || n, 'newer model', 'negative', 0.9 FROM generate_series(1, 20) AS n;
        INSERT INTO sentiment_alerts
               (alert_type, threshold_value, actual_value, window_start, window_end, post_count, resolved_at)
        VALUES ('high_negative_ratio', 0.5, 0.75, now(), now(), 12, now());
        """
    )
    contents = (
        "SELECT post_id, source, content, author, created_at, ingested_at FROM social_media_posts ORDER BY id",
        "SELECT post_id, model_name, model_version, sentiment_label, confidence_score, emotion, emotion_confidence,"
        " emotion_model_name, emotion_model_version, analyzed_at FROM sentiment_analysis ORDER BY id",
        "SELECT id, alert_type, threshold_value, actual_value, window_start, window_end, post_count, triggered_at,"
        " resolved_at, details FROM sentiment_alerts",
    )
    before = [[tuple(row) for row in await database.fetch(content)] for content in contents]
    await migrate(empty_database_url)
    assert [[tuple(row) for row in await database.fetch(content)] for content in contents] == before
    assert await database.fetchval(
        "SELECT bool_and(id BETWEEN first_id_at(ingested_at) AND first_id_at(ingested_at) + 1048575)"
        " FROM social_media_posts"
    )
    assert await database.fetchval("SELECT count(DISTINCT tableoid) FROM social_media_posts") >= 3
    assert await database.fetchval("SELECT sum(posts) FROM sentiment_minutes") == 190
    await assert_rollups_are_a_recount(database)
    assert await database.fetchval("SELECT count(*) FROM sentiment_analysis WHERE NOT is_current") == 20
    assert (
        await database.fetchval("SELECT count(*) FROM sentiment_analysis WHERE is_current AND model_name <> 'model'")
        == 20
    )
    async with open_pool(empty_database_url, max_size=1) as pool:
        analysis = Analysis(
            model_name="m", sentiment_label="neutral", confidence=0.5, emotion="joy", emotion_confidence=0.5
        )
        post = Post(post_id="p7", source="s", content="again", author="me", created_at=datetime.now(UTC))
        assert await store(pool, [(post, analysis)], datetime.now(UTC)) == []
    await database.close()


async def test_a_second_migration_changes_nothing(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    query = "SELECT xmin::text, version_num FROM alembic_version"
    before = await connection.fetch(query)
    await migrate(database_url)
    assert await connection.fetch(query) == before
    await connection.close()


@pytest.fixture
async def limited(postgres: str) -> AsyncIterator[Callable[[str], str]]:
    """The DSN of a database as a role that may only read has it."""
    admin = await asyncpg.connect(postgres)
    await admin.execute("CREATE ROLE limited LOGIN PASSWORD 'only-for-tests' IN ROLE pg_read_all_data")
    yield lambda dsn: dsn.replace("//undertone:", "//limited:")
    await admin.execute("DROP ROLE limited")
    await admin.close()


async def test_who_may_not_change_the_schema_goes_on_with_one_that_is_current_or_newer(
    database_url: str, limited: Callable[[str], str]
) -> None:
    await migrate(limited(database_url))
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await migrate(limited(database_url))
    await connection.close()


@pytest.mark.parametrize("revision", [None, "0003", "0006"])
async def test_who_may_not_change_the_schema_waits_for_the_migration(
    empty_database_url: str, limited: Callable[[str], str], revision: str | None
) -> None:
    if revision:
        await migrate_to(empty_database_url, revision)
    for _ in range(2):
        with pytest.raises(Transient, match=r"may not change it .*migrations\.apply"):
            await migrate(limited(empty_database_url))
    await migrate(empty_database_url)
    await migrate(limited(empty_database_url))


async def test_a_database_that_is_away_is_transient() -> None:
    try:
        await migrate("postgresql://u:p@127.0.0.1:1/d")
    except Transient as error:
        assert "not reachable" in str(error)
    else:
        raise AssertionError("no error")


async def test_it_ends_in_time_though_the_database_does_not_answer_its_goodbye(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = urlsplit(empty_database_url).port
    assert port is not None
    async with Proxy.before(port) as proxy:
        with ExitStack() as faults:
            hangs = asyncio.Event()

            async def step(connection: AsyncConnection, folder: Path) -> bool:
                if more := await apply_one(connection, folder):
                    return more
                faults.enter_context(proxy.stalled())
                hangs.set()
                return False

            apply_one = apply._step
            monkeypatch.setattr(apply, "_step", step)
            migrating = asyncio.create_task(migrate(empty_database_url.replace(f":{port}", f":{proxy.port}")))
            await asyncio.wait_for(hangs.wait(), 60)
            migrating.cancel()
            done, _ = await asyncio.wait({migrating}, timeout=20)
        assert done
        assert migrating.cancelled()


@pytest.mark.parametrize("query", ["", "?sslmode=prefer", "?sslmode=disable&application_name=undertone"])
async def test_a_url_may_say_what_the_driver_understands(empty_database_url: str, query: str) -> None:
    """`sslmode` is in most URLs of hosted databases."""
    await migrate(empty_database_url + query)
    async with open_pool(empty_database_url + query, max_size=1) as pool:
        assert await pool.fetchval("SELECT count(*) FROM social_media_posts") == 0


@pytest.mark.parametrize("query", ["?sslmode=perhaps", "?connect_timeout=5", "?client_encoding=nothing"])
async def test_a_url_of_which_the_driver_or_the_server_makes_nothing_is_told(
    empty_database_url: str, query: str
) -> None:
    with pytest.raises(ConfigurationError, match="check DATABASE_URL"):
        await migrate(empty_database_url + query)
    async with open_pool(empty_database_url + query, max_size=1) as pool:
        with pytest.raises(ConfigurationError, match="check DATABASE_URL"), database_errors():
            await pool.fetchval("SELECT 1")
