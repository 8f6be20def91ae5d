"""PostgreSQL: the pool, and its foreign errors in our own terms."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import asyncpg

from services.common.errors import ConfigurationError, Rejected, Transient

POSTGRESQL = "PostgreSQL"
CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 30.0
# A client that vanished without a word (its machine died, its network was cut) is noticed by the server within a
# minute, not within two hours: its transaction and its locks would stop others.
SESSION = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3"}
# Of the API. A plan for these very parameters reads the few days that they ask for, one for any parameters prepares all
# of them.
# Every query has its index: reading a whole table instead is never more than a wrong estimate. And every query is
# short, so that compiling it would take longer than running it.
PLANNING = {"plan_cache_mode": "force_custom_plan", "enable_seqscan": "off", "jit": "off"}
# Prepared statements of one connection: asyncpg's own number.
STATEMENTS_KEPT = 100
# A server that hangs does not answer our goodbye either.
CLOSE_TIMEOUT_S = 2.0

# Classes of SQLSTATE (PostgreSQL, appendix A) that pass by themselves: connection, resources, operator intervention,
# system error, transaction rollback (serialization, deadlock), object not in prerequisite state, program limits.
_TRANSIENT_CLASSES = ("08", "53", "57", "58", "40", "55")
# Where they are fatal, they end a connection before it is one: invalid authorization, catalogue name, value of a
# parameter; no such parameter or no permission.
_REFUSING_CLASSES = ("28", "3D", "22", "42")


@asynccontextmanager
async def open_pool(
    dsn: str, *, max_size: int, server_settings: dict[str, str] | None = None, shares_sessions: bool = False
) -> AsyncIterator[asyncpg.Pool]:
    """A pool that connects when it is first used, so that a database that is away for now stops nobody's start.

    Whoever takes a connection leaves nothing in its session: no settings but those of a transaction (SET LOCAL), no
    locks but a transaction's, no statement with a name.

    `shares_sessions`: PgBouncer in transaction mode is between us and the server. It refuses `server_settings`, which
    are the role's then, and a statement that was prepared is in a session that the next transaction may not get.
    """
    pool = asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=max_size,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        server_settings={} if shares_sessions else SESSION | (server_settings or {}),
        statement_cache_size=0 if shares_sessions else STATEMENTS_KEPT,
        reset=_as_it_is,
    )
    await pool
    try:
        yield pool
    finally:
        with suppress(TimeoutError):  # its connections are aborted then
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await pool.close()


async def _as_it_is(_connection: object) -> None:
    """Instead of asyncpg's reset of the session, a round trip after every statement or transaction."""


@contextmanager
def database_errors() -> Iterator[None]:
    """Translates what asyncpg raises: Transient if a later try may succeed, Rejected if the data is at fault.

    ConfigurationError if the server refuses user, password, database or a parameter of the connection.
    """
    try:
        yield
    except asyncpg.ClientConfigurationError as error:
        raise ConfigurationError(f"{error}; check DATABASE_URL") from error
    except asyncpg.PostgresError as error:
        ours = _ours(error)
        if ours is None:
            raise
        raise ours from error
    except ssl.SSLCertVerificationError as error:
        raise Transient(
            f"PostgreSQL's certificate is not trusted ({error.verify_message}); check POSTGRES_TLS_CA",
            service=POSTGRESQL,
        ) from error
    # InternalClientError and InterfaceError: what asyncpg raises when the server dies in mid-query.
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise Transient(
            f"PostgreSQL is not reachable: {str(error) or type(error).__name__}", service=POSTGRESQL
        ) from error


def _ours(error: asyncpg.PostgresError) -> Exception | None:
    """None where the mistake is our own."""
    kind = (error.sqlstate or "")[:2]
    if kind in _TRANSIENT_CLASSES or lacks_partition(error):
        return Transient(f"PostgreSQL: {error}", service=POSTGRESQL)
    if kind in _REFUSING_CLASSES and error.severity_en == "FATAL":
        return ConfigurationError(f"PostgreSQL refuses the connection: {error}; check DATABASE_URL")
    if isinstance(error, asyncpg.DataError | asyncpg.IntegrityConstraintViolationError):
        return Rejected(f"PostgreSQL: {error}")
    return None


def lacks_partition(error: asyncpg.PostgresError) -> bool:
    """Whether a row found no partition: the same SQLSTATE as that of a refused value, but no constraint has a name."""
    return isinstance(error, asyncpg.CheckViolationError) and not error.constraint_name
