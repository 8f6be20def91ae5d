"""The schema is the contract's, however many processes bring it up at once."""

import asyncio

import asyncpg

from services.common.errors import Transient
from services.common.migrations.apply import migrate

CONTRACT = {
    "social_media_posts": {"id", "post_id", "source", "content", "author", "created_at", "ingested_at"},
    "sentiment_analysis": {
        "id",
        "post_id",
        "model_name",
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
