"""Brings the schema up to date; safe when several processes start at once, of an older or newer version as well."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from services.common.database import CLOSE_TIMEOUT_S, CONNECT_TIMEOUT_S, database_errors
from services.common.errors import ConfigurationError, Transient
from services.common.logging import get_logger
from services.common.migrations.grants import IS_OWNER, OWN, OWN_FUNCTIONS, grants
from services.common.settings import read_settings

log = get_logger(__name__)

# Any fixed number, the same in every version: who holds this lock migrates, the others wait and find it done.
MIGRATION_LOCK = 7_316_605_512
# Whoever comes to a table after a migration that waits for it waits as well, writers among them: it gives up after this
# long, lets them pass, and is tried again.
LOCK_TIMEOUT_MS = 2_000
MIGRATIONS = Path(__file__).parent


async def migrate(dsn: str, folder: Path = MIGRATIONS) -> None:
    """Runs every migration that the database lacks, each in a transaction; the schema of a newer version stays.

    Transient if the database is away, if others use a table for longer than a migration may wait for it (what is done
    by then is done), or if the role may not change a schema that is behind: then somebody else has to.
    ConfigurationError if the database refuses us, or has the schema of another program. Cancelled, it ends within
    seconds, whatever the server does.
    """
    opened: list[asyncpg.Connection] = []

    async def connect() -> asyncpg.Connection:
        # By the driver itself, as everybody else does: SQLAlchemy knows no sslmode, and takes names in URLs otherwise.
        opened.append(await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S))
        return opened[-1]

    work = asyncio.create_task(_migrate(connect, folder))
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        work.cancel()
        # SQLAlchemy says goodbye to the server whatever happens, and waits for an answer without a limit. One that
        # hangs gives none.
        await asyncio.wait({work}, timeout=CLOSE_TIMEOUT_S)
        for connection in opened:
            connection.terminate()
        await asyncio.gather(work, return_exceptions=True)
        raise


async def _migrate(connect: Callable[[], Awaitable[asyncpg.Connection]], folder: Path) -> None:
    engine = create_async_engine("postgresql+asyncpg://", poolclass=NullPool, async_creator=connect)
    try:
        with _database_errors():
            async with engine.connect() as connection:
                # Not all in one transaction: it would hold the tables of one migration while it waits for that of the
                # next, which a writer may hold who waits for the first.
                while await _step(connection, folder):
                    pass
    finally:
        await engine.dispose()


async def _step(connection: AsyncConnection, folder: Path) -> bool:
    """Whether there was a migration to run."""
    async with connection.begin():
        # Bound to the transaction: released by commit, rollback or a lost connection alike. Waited for without a limit:
        # another process may have much to carry over, and nobody queues behind this lock.
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        await connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
        return await connection.run_sync(partial(_upgrade, folder=folder))


@contextmanager
def _database_errors() -> Iterator[None]:
    """Those of the driver, whether SQLAlchemy has wrapped them or not."""
    with database_errors():
        try:
            yield
        except DBAPIError as error:
            if isinstance(error.driver_exception, asyncpg.LockNotAvailableError):
                raise Transient(
                    f"a migration waited {LOCK_TIMEOUT_MS / 1_000:g} s for a table that a long transaction uses, and"
                    " let the others pass; pg_stat_activity shows the transaction"
                ) from error
            if isinstance(error.driver_exception, asyncpg.InsufficientPrivilegeError):
                raise Transient(
                    f"the schema is not up to date, and this role may not change it ({error.driver_exception}): waiting"
                    " until python -m services.common.migrations.apply has run with the role that owns it"
                ) from error
            raise error.driver_exception from error


def _upgrade(connection: Connection, folder: Path) -> bool:
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    present = MigrationContext.configure(connection).get_current_heads()
    if present == (scripts.get_current_head(),) or _is_newer(present, scripts):
        return False
    command.upgrade(config, "+1")
    if connection.exec_driver_sql(IS_OWNER).scalar_one():
        own = connection.exec_driver_sql(OWN).all()
        tables, sequences = [n for n, is_sequence in own if not is_sequence], [n for n, is_seq in own if is_seq]
        functions = connection.exec_driver_sql(OWN_FUNCTIONS).scalars().all()
        for statement in grants(tables, sequences, functions):
            connection.exec_driver_sql(statement)
    return True


def _is_newer(present: tuple[str, ...], scripts: ScriptDirectory) -> bool:
    """Whether a later version of this code made the schema, which keeps what we use (docs/reliability.md).

    ConfigurationError if the database has a revision that cannot be one of ours: they are numbers of four digits.
    """
    head = scripts.get_current_head()
    assert head is not None
    unknown = set(present) - {script.revision for script in scripts.walk_revisions()}
    if not unknown:
        return False
    if not all(len(revision) == len(head) and revision.isdecimal() and revision > head for revision in unknown):
        raise ConfigurationError(
            f"the database has the schema {', '.join(sorted(unknown))} of another program; check DATABASE_URL"
        )
    log.warning("the schema is of a newer version; going on with what it keeps for us", schema=max(unknown), ours=head)
    return True


if __name__ == "__main__":
    try:
        asyncio.run(migrate(read_settings().direct_dsn))
    except (ConfigurationError, Transient) as failure:
        sys.exit(f"migrate: {failure}")
