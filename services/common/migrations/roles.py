"""`python -m services.common.migrations.roles`: makes the database's roles, their passwords and rights, or renews them.

Run it as a superuser (POSTGRES_USER and POSTGRES_PASSWORD, or DATABASE_URL) before the migrations, and again whenever a
password has changed. A database that another role has owned so far is taken over.
"""

import asyncio
import sys

import asyncpg
from pydantic import ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.database import COMMAND_TIMEOUT_S, CONNECT_TIMEOUT_S, PLANNING, database_errors
from services.common.errors import ConfigurationError, Transient
from services.common.migrations.apply import MIGRATION_LOCK
from services.common.migrations.grants import (
    API,
    MIGRATE,
    MONITOR,
    OWN,
    OWN_FUNCTIONS,
    READ,
    READS_ALL,
    WORKER,
    grants,
)
from services.common.scram import verifier
from services.common.settings import read_settings

# Who comes to a table after us would wait as well: rather give up, and be run again.
LOCK_TIMEOUT_MS = 2_000


class Passwords(BaseSettings):
    """Of the roles. Services know only their own, as POSTGRES_PASSWORD."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True)

    postgres_migrate_password: str
    postgres_worker_password: str
    postgres_api_password: str
    postgres_read_password: str
    postgres_monitor_password: str

    @field_validator("*")
    @classmethod
    def _usable(cls, value: str) -> str:
        verifier(value)
        return value


def read_passwords() -> dict[str, str]:
    """The password of each role; ConfigurationError names all that are missing or not usable."""
    try:
        given = Passwords()
    except ValidationError as error:
        complaints = [f"  {str(e['loc'][0]).upper()}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()]
        raise ConfigurationError("\n".join(["passwords of database roles:", *complaints])) from None
    return {
        MIGRATE: given.postgres_migrate_password,
        WORKER: given.postgres_worker_password,
        API: given.postgres_api_password,
        READ: given.postgres_read_password,
        MONITOR: given.postgres_monitor_password,
    }


# How many at once; -1: any number.
CONNECTIONS = {MIGRATE: 10, WORKER: -1, API: -1, READ: 20, MONITOR: 5}
# A transaction that is left open keeps roll-ups from being closed, and an analyst's query must not run for ever.
SESSIONS = {
    MIGRATE: {"idle_in_transaction_session_timeout": "10min"},
    WORKER: {"idle_in_transaction_session_timeout": "1min", "statement_timeout": "1min"},
    # The API says so itself, but not through PgBouncer.
    API: {"idle_in_transaction_session_timeout": "1min", "statement_timeout": "1min", **PLANNING},
    READ: {
        "default_transaction_read_only": "on",
        "idle_in_transaction_session_timeout": "5min",
        "statement_timeout": "5min",
    },
    MONITOR: {"default_transaction_read_only": "on", "statement_timeout": "1min"},
}
# pg_read_all_stats: since when others write is how it is known that a minute is complete.
MEMBERSHIPS = {MIGRATE: "pg_read_all_stats", API: "pg_read_all_stats", MONITOR: "pg_monitor"}
OURS = ", ".join((MIGRATE, WORKER, API, READ, MONITOR))

# What belongs to whoever has migrated so far, or to ourselves; not what belongs to an extension. A sequence of a column
# goes with its table.
_OF_OTHERS = f"""
    WITH owners AS (SELECT relowner AS owner FROM pg_class WHERE oid = to_regclass('public.alembic_version')
                    UNION SELECT oid FROM pg_roles WHERE rolname = current_user)
    SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END || ' ' || oid::regclass AS what
      FROM pg_class AS c
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S', 'v')
       AND relowner IN (SELECT owner FROM owners) AND relowner <> '{MIGRATE}'::regrole
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
                          AND deptype IN ('e', 'i', 'a') AND (relkind = 'S' OR deptype = 'e'))
     UNION ALL
    SELECT 'FUNCTION ' || oid::regprocedure FROM pg_proc AS p
     WHERE pronamespace = 'public'::regnamespace
       AND proowner IN (SELECT owner FROM owners) AND proowner <> '{MIGRATE}'::regrole
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')
"""  # nosec B608 # a role's constant name


async def make_roles(dsn: str, passwords: dict[str, str]) -> None:
    """Makes or renews them, all of it or nothing; the same a second time.

    Transient if the database is away or its tables are in use, ConfigurationError if `dsn` is no superuser's.
    """
    with database_errors():
        connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S, command_timeout=COMMAND_TIMEOUT_S)
        try:
            async with connection.transaction():
                await _make(connection, passwords)
        finally:
            await connection.close()


async def _make(held: asyncpg.Connection, passwords: dict[str, str]) -> None:
    who = await held.fetchrow(
        "SELECT rolname AS name, rolsuper AS is_superuser, quote_ident(current_database()) AS database"
        " FROM pg_roles WHERE rolname = current_user"
    )
    assert who is not None
    if not who["is_superuser"] or who["name"] in passwords:
        raise ConfigurationError(f"{who['name']} cannot make roles: POSTGRES_USER has to be another one, a superuser")
    # No migration meanwhile, and nobody else who does the same.
    await held.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
    # A log that has every statement does not get even the verifiers.
    await held.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; SET LOCAL log_statement = 'none'")
    await held.execute("SET LOCAL search_path = public, pg_temp")
    existing = {row["rolname"] for row in await held.fetch("SELECT rolname FROM pg_roles")}
    for role, password in passwords.items():
        await held.execute(
            f"{'ALTER' if role in existing else 'CREATE'} ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"
            f" NOREPLICATION NOBYPASSRLS CONNECTION LIMIT {CONNECTIONS[role]} PASSWORD '{verifier(password)}'"
        )
    for role, group in MEMBERSHIPS.items():
        await held.execute(f"GRANT {group} TO {role}")
    for role in passwords:
        # A name means our table, whatever anybody else has made under it.
        for name, value in {"search_path": "public, pg_temp", **SESSIONS[role]}.items():
            quoted = value if name == "search_path" else f"'{value}'"
            await held.execute(f"ALTER ROLE {role} IN DATABASE {who['database']} SET {name} = {quoted}")
    await held.execute(
        f"""
        REVOKE ALL ON DATABASE {who["database"]} FROM PUBLIC, {OURS};
        GRANT CONNECT ON DATABASE {who["database"]} TO {OURS};
        GRANT TEMPORARY ON DATABASE {who["database"]} TO {MIGRATE};
        ALTER SCHEMA public OWNER TO {MIGRATE};
        REVOKE ALL ON SCHEMA public FROM PUBLIC, {WORKER}, {API}, {READ}, {MONITOR};
        GRANT USAGE ON SCHEMA public TO {WORKER}, {API}, {READ};
        """
    )
    for row in await held.fetch(_OF_OTHERS):
        await held.execute(f"ALTER {row['what']} OWNER TO {MIGRATE}")
    await _index_of_words(held)
    own = await held.fetch(OWN)
    tables = [row["relname"] for row in own if not row["is_sequence"]]
    sequences = [row["relname"] for row in own if row["is_sequence"]]
    functions = [row["proname"] for row in await held.fetch(OWN_FUNCTIONS)]
    others = f"PUBLIC, {WORKER}, {API}, {READ}, {MONITOR}"
    of_later_ones = f"ALTER DEFAULT PRIVILEGES FOR ROLE {MIGRATE} IN SCHEMA public"
    for kind, names in (("TABLE", tables), ("SEQUENCE", sequences), ("FUNCTION", functions)):
        if kind != "FUNCTION":  # most are everybody's: a migration says which are not
            await held.execute(f"{of_later_ones} REVOKE ALL ON {kind}S FROM {others}")
        if names:
            await held.execute(f"REVOKE ALL ON {kind} {', '.join(names)} FROM {others}")
    await held.execute(f"{of_later_ones} GRANT SELECT ON TABLES TO {', '.join(READS_ALL)}")
    await held.execute(f"{of_later_ones} GRANT SELECT ON SEQUENCES TO {READ}")
    for statement in grants(tables, sequences, functions):
        await held.execute(statement)


async def _index_of_words(held: asyncpg.Connection) -> None:
    """The keeper may not make the extension itself; without it searches are slow, as its log says."""
    if await held.fetchval("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')"):
        await held.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")


def main() -> None:
    settings, passwords = read_settings(), read_passwords()
    asyncio.run(make_roles(settings.direct_dsn, passwords))
    print(f"the roles {OURS} are as they must be")


if __name__ == "__main__":
    try:
        main()
    except (ConfigurationError, Transient) as failure:
        sys.exit(f"roles: {failure}")
