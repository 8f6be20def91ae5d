"""Brings the schema up to date; safe when several processes start at once."""

import asyncio
import sys
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from services.common.errors import ConfigurationError, Transient
from services.common.settings import read_settings

# Any fixed number, the same in every version: who holds this lock migrates, the others wait and find it done.
MIGRATION_LOCK = 7_316_605_512


async def migrate(dsn: str) -> None:
    """Runs every migration that the database lacks, in one transaction. Transient if the database is away."""
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            # Bound to the transaction: released by commit, rollback or a lost connection alike.
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            await connection.run_sync(_upgrade)
    except (OSError, TimeoutError, DBAPIError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        if isinstance(error, DBAPIError) and _sqlstate(error)[:2] in ("28", "3D"):  # authorization, no such database
            raise ConfigurationError(f"PostgreSQL refuses the connection: {error.orig}; check DATABASE_URL") from error
        if isinstance(error, DBAPIError) and not (error.connection_invalidated or _is_away(error)):
            raise
        raise Transient(f"PostgreSQL is not reachable: {error}") from error
    except asyncpg.PostgresError as error:  # raised as it is while connecting
        if isinstance(error, (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)):
            raise ConfigurationError(f"PostgreSQL refuses the connection: {error}; check DATABASE_URL") from error
        raise Transient(f"PostgreSQL is not reachable: {error}") from error
    finally:
        await engine.dispose()


def _is_away(error: DBAPIError) -> bool:
    return _sqlstate(error)[:2] in ("08", "53", "57")


def _sqlstate(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", ""))


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


if __name__ == "__main__":
    try:
        asyncio.run(migrate(read_settings().database_dsn))
    except (ConfigurationError, Transient) as failure:
        sys.exit(f"migrate: {failure}")
