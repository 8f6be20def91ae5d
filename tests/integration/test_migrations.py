"""The schema is the contract's, however many processes bring it up at once."""

import asyncio
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from services.common import migrations
from services.common.errors import Transient
from services.common.migrations.apply import migrate

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
    await migrate(empty_database_url)
    row = await connection.fetchrow(
        "SELECT model_name, model_version, emotion_model_name, emotion_model_version FROM sentiment_analysis"
    )
    assert row is not None
    assert tuple(row) == ("model", 0, None, None)
    assert await connection.fetchval(file_of_table) == before
    await connection.close()


async def test_a_second_migration_changes_nothing(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    query = "SELECT xmin::text, version_num FROM alembic_version"
    before = await connection.fetch(query)
    await migrate(database_url)
    assert await connection.fetch(query) == before
    await connection.close()


async def test_a_database_that_is_away_is_transient() -> None:
    try:
        await migrate("postgresql://u:p@127.0.0.1:1/d")
    except Transient as error:
        assert "not reachable" in str(error)
    else:
        raise AssertionError("no error")
