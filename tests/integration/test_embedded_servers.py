"""The real PostgreSQL and Redis of `make run`: what was acknowledged survives, and only our server counts as ours."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from services.common.errors import ConfigurationError
from services.local import postgres as postgres_module
from services.local.__main__ import main
from services.local.binaries import postgres_install
from services.local.child import Child
from services.local.ports import PortNeed, port_problems
from services.local.postgres import initialise, postgres_child
from services.local.redis import redis_child
from tests.embedded import (
    DATABASE,
    PASSWORD,
    is_ready,
    open_folder,
    running,
    running_postgres,
    running_redis,
)
from tests.ports import free_port

PROJECT = Path(__file__).parents[2]


@contextmanager
def running_again(child: Child, log_dir: Path) -> Iterator[None]:
    """`running`, tried until it works, as the supervisor does."""
    deadline = time.monotonic() + 20
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(running(child, log_dir))
                break
            except RuntimeError:
                assert time.monotonic() < deadline
        yield


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path


def query(dsn: str, *statements: str) -> object:
    """The first value that the last statement gives."""

    async def ask() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close()

    return asyncio.run(ask())


def postgres_of(folder: Path, port: int, *, password: str = PASSWORD, database: str = DATABASE) -> Child:
    return postgres_child(
        data_dir=folder / "postgres", port=port, user="undertone", password=password, database=database
    )


def test_postgres_is_durable_and_has_what_the_services_need(folder: Path) -> None:
    with running_postgres(folder) as dsn:
        assert query(dsn, "SHOW fsync") == "on"
        assert query(dsn, "SHOW synchronous_commit") == "on"
        assert query(dsn, "SHOW server_encoding") == "UTF8"
        assert query(dsn, "CREATE EXTENSION pg_trgm", "SELECT similarity('sentiment', 'sentiments') > 0.5") is True
        assert query(dsn, "SELECT current_database()") == DATABASE
        # Asked for on this machine too.
        with pytest.raises(asyncpg.InvalidPasswordError):
            query(dsn.replace(PASSWORD, "a-guess"), "SELECT 1")


def test_redis_answers_after_the_disk(folder: Path) -> None:
    """Nothing less survives `kill -9` at every moment: with `everysec` a running fsync holds answered writes back."""
    port = free_port()
    client = redis.Redis(port=port, password=PASSWORD, decode_responses=True)
    with running(redis_child(data_dir=folder / "redis", port=port, password=PASSWORD), folder), client:
        wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
        assert client.config_get(*wanted) == wanted


def test_a_second_start_continues_with_the_data(folder: Path) -> None:
    with running_postgres(folder) as dsn:
        query(dsn, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (42) RETURNING n")
    with running_postgres(folder) as dsn:
        assert query(dsn, "SELECT n FROM kept") == 42
    # The checks of a normal start are no alarm in the log.
    assert "FATAL" not in (folder / "postgres.log").read_text()
    with running_redis(folder) as url, redis.Redis.from_url(url) as client:
        client.set("kept", 42)
    with running_redis(folder) as url, redis.Redis.from_url(url) as client:
        assert client.get("kept") == b"42"


def test_acknowledged_rows_survive_kill_9(folder: Path) -> None:
    """Every row whose commit was answered is there after the postmaster was killed while rows kept coming."""
    acknowledged = 0

    async def write(dsn: str, victim: int) -> None:
        nonlocal acknowledged
        connection = await asyncpg.connect(dsn)
        await connection.execute("CREATE TABLE kept (n int)")
        # asyncpg tells of a dying server in three ways; InternalClientError is no PostgresError.
        try:
            while True:
                await connection.execute("INSERT INTO kept VALUES ($1)", acknowledged)
                acknowledged += 1
                if acknowledged == 100:
                    # Not between two rows: while one is on its way.
                    threading.Timer(0.05, os.kill, (victim, signal.SIGKILL)).start()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            connection.terminate()

    port = free_port()
    child = postgres_of(folder, port)
    dsn = f"postgresql://undertone:{PASSWORD}@127.0.0.1:{port}/{DATABASE}"
    with running(child, folder) as process:
        asyncio.run(write(dsn, process.pid))
    assert acknowledged >= 100
    # The stale postmaster.pid is no obstacle; the dead one's last processes may be, for a moment.
    with running_again(postgres_of(folder, port), folder):
        rows = query(dsn, "SELECT array_agg(n ORDER BY n) FROM kept")
        assert isinstance(rows, list)
        assert rows[:acknowledged] == list(range(acknowledged))


def test_acknowledged_entries_survive_kill_9(folder: Path) -> None:
    """The same for Redis, with pipelines large enough that an fsync is under way nearly always."""
    acknowledged = 0
    port = free_port()
    child = redis_child(data_dir=folder / "redis", port=port, password=PASSWORD)
    client = redis.Redis(port=port, password=PASSWORD, retry=Retry(NoBackoff(), 0))
    with running(child, folder) as process, client, suppress(redis.ConnectionError, redis.TimeoutError):
        threading.Timer(1.0, process.kill).start()
        while True:
            pipeline = client.pipeline(transaction=False)
            for _ in range(50):
                pipeline.xadd("posts", {"content": "x" * 1_000})
            acknowledged += len(pipeline.execute())
    assert acknowledged > 0
    with running_redis(folder) as url, redis.Redis.from_url(url) as client:
        assert client.xlen("posts") >= acknowledged


def test_only_the_server_of_our_folder_counts(folder: Path) -> None:
    """A stranger on the port, or the port of another checkout's server, is not taken for ours."""
    (folder / "other").mkdir(mode=0o755)
    with running_postgres(folder) as dsn:
        port = int(dsn.rpartition(":")[2].split("/")[0])
        assert is_ready(postgres_of(folder, port))
        other = postgres_of(folder / "other", port)
        # As after a kill: our own server is said to be ready, and a stranger answers.
        shutil.copy(folder / "postgres" / "postmaster.pid", folder / "other" / "postgres")
        assert not is_ready(other)
        assert not is_ready(postgres_of(folder, port, password="another"))
    with running_redis(folder) as url:
        port = int(url.rpartition(":")[2].split("/")[0])
        assert is_ready(redis_child(data_dir=folder / "redis", port=port, password=PASSWORD))
        assert not is_ready(redis_child(data_dir=folder / "other" / "redis", port=port, password=PASSWORD))
        assert not is_ready(redis_child(data_dir=folder / "redis", port=port, password="another"))


def test_a_new_database_name_is_created_beside_the_old(folder: Path) -> None:
    with running_postgres(folder):
        pass
    with running_postgres(folder, database='odd "name"') as dsn:
        assert query(f"{dsn.rpartition('/')[0]}/odd%20%22name%22", "SELECT current_database()") == 'odd "name"'


def test_no_password_in_the_process_list(folder: Path) -> None:
    port = free_port()
    children = [postgres_of(folder, port), redis_child(data_dir=folder / "redis", port=port, password=PASSWORD)]
    assert not any(PASSWORD in word for child in children for word in child.command)
    assert not any(PASSWORD in path.read_text("latin1") for path in (folder / "postgres").rglob("*") if path.is_file())


def test_an_interrupted_initdb_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder appears when it is complete; what an interrupted attempt left is cleared away by the next."""
    left_over = folder / f"postgres{postgres_module.UNFINISHED}abc"
    left_over.mkdir()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("subprocess.run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            initialise(data_dir=folder / "postgres", user="undertone", password=PASSWORD)
    assert list(folder.iterdir()) == []
    initialise(data_dir=folder / "postgres", user="undertone", password=PASSWORD)
    assert [path.name for path in folder.iterdir()] == ["postgres"]


def test_data_of_another_version_are_refused(folder: Path) -> None:
    data = folder / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(ConfigurationError, match=r"holds the data of PostgreSQL 16, but the server is version \d+"):
        postgres_of(folder, free_port())
    (data / "PG_VERSION").unlink()
    with pytest.raises(ConfigurationError, match="is no PostgreSQL data folder"):
        postgres_of(folder, free_port())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is refused by PostgreSQL")
def test_as_root_below_a_closed_folder(folder: Path) -> None:
    """A checkout in root's own home: nobody else can enter it, so root stays the owner, in a user namespace."""
    folder.chmod(0o700)
    try:
        child = postgres_of(folder, free_port())
    except ConfigurationError as error:
        assert "set LOCAL_DIR to a folder that everyone can enter" in str(error)
        return
    with running(child, folder):
        assert (folder / "postgres").stat().st_uid == 0
    assert child.uid is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand folders over")
def test_data_that_belong_to_another_user_are_taken_over(folder: Path) -> None:
    """A project folder that was moved below a closed one and back, or restored from a backup."""
    with running_postgres(folder) as dsn:
        query(dsn, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (42) RETURNING n")
    for mode in (0o700, 0o755):
        folder.chmod(mode)
        with running_postgres(folder) as dsn:
            assert query(dsn, "SELECT n FROM kept") == 42


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_as_root_with_a_wheel_that_others_cannot_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs are copied beside the data, once."""
    wheel = postgres_install()
    monkeypatch.setattr(postgres_module, "everyone_can_enter", lambda path: not path.is_relative_to(wheel))
    for _ in range(2):
        with running_postgres(folder) as dsn:
            assert query(dsn, "SELECT 1") == 1
        assert {path.name.split("-")[0] for path in folder.iterdir()} == {"postgres", "postgres.log", "postgresql"}
    assert str(folder) in postgres_of(folder, free_port()).command[0]


SUPERVISED = """
import asyncio, sys
from pathlib import Path
from tests.integration.test_embedded_servers import postgres_of
from services.local.output import Output
from services.local.redis import redis_child
from services.local.supervisor import Supervisor

folder = Path(sys.argv[1])
redis = redis_child(data_dir=folder / "redis", port=int(sys.argv[3]), password="p")
children = [postgres_of(folder, int(sys.argv[2])), redis]
output = Output(folder / "logs", ["postgres", "redis"])
sys.exit(asyncio.run(Supervisor([children], output).run(lambda seconds: output.say("all up"))))
"""


@pytest.mark.parametrize("mode", [0o755, 0o700])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_server_outlives_the_supervisor(folder: Path, mode: int, number: signal.Signals) -> None:
    """As another user (open folder) and in a user namespace (closed folder), the parent-death signal still comes."""
    folder.chmod(mode)
    command = [sys.executable, "-c", SUPERVISED, str(folder), str(free_port()), str(free_port())]
    environment = {"PATH": os.defpath, "PYTHONPATH": str(PROJECT), "HOME": str(folder)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("all up" in line for line in process.stdout)
        servers = psutil.Process(process.pid).children(recursive=True)
        assert len(servers) > 5
        process.send_signal(number)
        process.stdout.read()
    deadline = time.monotonic() + 20
    while not all(map(is_gone, servers)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_port_in_use_is_told_in_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        needs = [
            PortNeed(port, "Redis", "LOCAL_REDIS_PORT"),
            PortNeed(free_port(), "PostgreSQL", "LOCAL_POSTGRES_PORT"),
        ]
        (problem,) = port_problems(needs, patience_s=0)
    assert problem == (
        f"port {port} on 127.0.0.1 is not free for Redis (address already in use): another `make run` or server may be "
        "using it; stop that, or set LOCAL_REDIS_PORT to another port"
    )
    # What has just been closed is free: connections that wait for their end do not count.
    assert port_problems(needs, patience_s=0) == []


def test_a_port_that_is_about_to_be_freed_is_waited_for() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        threading.Timer(0.2, other.close).start()
        assert port_problems([PortNeed(other.getsockname()[1], "Redis", "LOCAL_REDIS_PORT")], patience_s=20) == []


def test_named_servers_that_do_not_answer_are_told_all_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, a line for each with its setting and address, no password and no traceback."""
    monkeypatch.chdir(folder)
    port = free_port()
    monkeypatch.setenv("DATABASE_URL", f"postgresql://someone:hush@127.0.0.1:{port}/x")
    monkeypatch.setenv("REDIS_URL", f"redis://:hush@127.0.0.1:{port}/0")
    monkeypatch.setenv("TRITON_URL", f"127.0.0.1:{port}")
    for setting in ("API_PORT", "WORKER_METRICS_PORT", "INGESTER_METRICS_PORT"):
        monkeypatch.setenv(setting, str(free_port()))
    assert main([]) == 2
    lines = capsys.readouterr().err.splitlines()
    for line, setting in zip(lines, ("DATABASE_URL", "REDIS_URL", "TRITON_URL"), strict=True):
        assert line.startswith(f"error: the server that {setting} names (127.0.0.1:{port}) does not answer: ")
        assert "hush" not in line
    assert list(folder.glob(".local/postgres*")) == []


ORDINARY = """
import sys
sys.path.insert(0, {project!r})
import asyncio, pathlib
from tests.embedded import running_postgres, running_redis
base = pathlib.Path({base!r})
with running_postgres(base), running_redis(base):
    print("up")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_as_an_ordinary_user(folder: Path) -> None:
    """The servers belong to the one who starts them, nobody else is needed."""
    user = pwd.getpwnam("nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    # This Python and its packages may lie where that user cannot read: root's rights to read, and nothing else.
    answer = subprocess.run(
        [*as_reader(user), sys.executable, "-c", ORDINARY.format(project=str(PROJECT), base=str(folder))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
        env={"PATH": os.defpath, "HOME": str(folder)},
    )
    assert answer.stdout == "up\n", answer.stderr
    assert (folder / "postgres").stat().st_uid == user.pw_uid


def as_reader(user: pwd.struct_passwd) -> list[str]:
    capabilities = "--inh-caps=-all,+dac_read_search"
    return [
        *("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"),
        *(capabilities, "--ambient-caps=-all,+dac_read_search", "--"),
    ]
