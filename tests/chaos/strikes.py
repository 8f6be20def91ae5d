"""How each kind of fault strikes. Whatever happens, what lasts is taken back at its end."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress

import asyncpg
import psutil
from redis.exceptions import ResponseError

from tests.chaos.proxy import Proxy
from tests.chaos.scene import DATABASE_ERRORS, GROUP, POLL_S, STREAM, Scene, persist
from tests.chaos.schedule import Fault

# Called at the moment when it strikes: what it strikes may have to be waited for.
Struck = Callable[[], None]
Strike = Callable[[Scene, Fault, Struck], Awaitable[None]]

# Each way.
DELAY_S = 0.2
WRITER_TIMEOUT_S = 10.0
# A transaction of a worker takes some milliseconds.
WRITER_POLL_S = 0.002
# As the supervisor ends it: SIGTERM would make PostgreSQL wait for its clients, which never leave.
STOP_SIGNALS = {"postgres": signal.SIGINT}


async def kill(scene: Scene, fault: Fault, struck: Struck) -> None:
    process = await scene.victim(fault.target)
    struck()
    with suppress(psutil.NoSuchProcess):  # another fault was quicker
        process.kill()


async def restart(scene: Scene, fault: Fault, struck: Struck) -> None:
    process = await scene.victim(fault.target)
    struck()
    with suppress(psutil.NoSuchProcess):
        process.send_signal(STOP_SIGNALS.get(fault.target, signal.SIGTERM))


async def pause(scene: Scene, fault: Fault, struck: Struck) -> None:
    process = await scene.victim(fault.target)
    with suspended(process):
        struck()
        await asyncio.sleep(fault.lasts_s)


@contextmanager
def suspended(process: psutil.Process) -> Iterator[None]:
    """The process and all that it has started stand still."""
    stopped: list[psutil.Process] = []
    try:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
            stopped.append(process)
            for child in process.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.suspend()
                    stopped.append(child)
        with _resumed_at_our_death(stopped):
            yield
    finally:
        for each in stopped:
            with suppress(psutil.NoSuchProcess):
                each.resume()


@contextmanager
def _resumed_at_our_death(processes: Sequence[psutil.Process]) -> Iterator[None]:
    """Even where we are killed: PostgreSQL's sessions, standing still, would not hear that their server has gone."""
    keeper = subprocess.Popen(
        ["sh", "-c", 'cat >/dev/null; kill -CONT "$@" 2>/dev/null', "sh", *(str(each.pid) for each in processes)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        keeper.communicate()


def network(disturb: Callable[[Proxy], AbstractContextManager[None]]) -> Strike:
    async def strike(scene: Scene, fault: Fault, struck: Struck) -> None:
        with disturb(scene.proxies[fault.target]):
            struck()
            await asyncio.sleep(fault.lasts_s)

    return strike


async def flood(scene: Scene, fault: Fault, struck: Struck) -> None:
    struck()
    await scene.flood()


async def without_memory(scene: Scene, fault: Fault, struck: Struck) -> None:
    async def limit(size: int) -> None:
        await scene.redis.config_set("maxmemory", size)

    try:
        await persist(lambda: limit(1))
        struck()
        await asyncio.sleep(fault.lasts_s)
    finally:
        await persist(lambda: limit(0))


async def lose_group(scene: Scene, fault: Fault, struck: Struck) -> None:
    async def destroy() -> None:
        with suppress(ResponseError):  # no stream yet, or none any more
            await scene.redis.xgroup_destroy(STREAM, GROUP)

    struck()
    await persist(destroy)


async def kill_while_rewriting(scene: Scene, fault: Fault, struck: Struck) -> None:
    process = await scene.victim(fault.target)

    async def rewrite() -> None:
        with suppress(ResponseError):  # one is under way already
            await scene.redis.bgrewriteaof()

    await persist(rewrite)
    struck()
    with suppress(psutil.NoSuchProcess):
        process.kill()


async def kill_stubs(scene: Scene, fault: Fault, struck: Struck) -> None:
    """The server goes on and says that it is ready, and cannot infer."""
    until = time.monotonic() + WRITER_TIMEOUT_S
    stubs: list[psutil.Process] = []
    while not stubs and time.monotonic() < until:
        with suppress(psutil.NoSuchProcess):
            stubs = (await scene.victim(fault.target)).children(recursive=True)
        await asyncio.sleep(POLL_S)
    struck()
    for stub in stubs:
        with suppress(psutil.NoSuchProcess):
            stub.kill()


async def kill_a_writer(scene: Scene, fault: Fault, struck: Struck) -> None:
    async with open_transaction(scene) as connection:
        pid = await _writing(connection)
        struck()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def immediate_shutdown(scene: Scene, fault: Fault, struck: Struck) -> None:
    process = await scene.victim(fault.target)
    async with open_transaction(scene):
        struck()
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGQUIT)


@asynccontextmanager
async def open_transaction(scene: Scene) -> AsyncIterator[asyncpg.Connection]:
    """A connection that has written a post which must never be seen: its transaction does not end."""

    async def begin() -> asyncpg.Connection:
        connection = await scene.connect()
        try:
            await connection.execute("BEGIN")
            await connection.execute(
                """WITH ghost AS (INSERT INTO social_media_post_keys (post_id, id)
                                       VALUES ('ghost-' || gen_random_uuid(), next_id_at(now())) RETURNING post_id, id)
                   INSERT INTO social_media_posts (id, post_id, source, content, created_at)
                   SELECT id, post_id, 'ghost', 'never committed', now() FROM ghost"""
            )
        except BaseException:
            connection.terminate()
            raise
        return connection

    connection = await persist(begin)
    try:
        yield connection
    finally:
        connection.terminate()


async def _writing(connection: asyncpg.Connection) -> int:
    """The process of another session that is writing; our own one if none writes for a while."""
    until = time.monotonic() + WRITER_TIMEOUT_S
    with suppress(*DATABASE_ERRORS):  # something else has struck it: our own will be gone, too
        while time.monotonic() < until:
            # Who writes holds its transaction's number.
            pid = await connection.fetchval(
                "SELECT pid FROM pg_locks WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted"
                " AND pid <> pg_backend_pid() LIMIT 1"
            )
            if pid is not None:
                return int(pid)
            await asyncio.sleep(WRITER_POLL_S)
    return connection.get_server_pid()


STRIKES: Mapping[str, Strike] = {
    "kill": kill,
    "pause": pause,
    "restart": restart,
    "cut": network(Proxy.cut),
    "delay": network(lambda proxy: proxy.delayed(DELAY_S)),
    "stall": network(Proxy.stalled),
    "half-open": network(Proxy.half_open),
    "no answers from": network(Proxy.without_answers),
    "flood": flood,
    "no memory for": without_memory,
    "lose the group of": lose_group,
    "kill while it rewrites its log": kill_while_rewriting,
    "kill the stubs of": kill_stubs,
    "kill a writing session of": kill_a_writer,
    "immediate shutdown of": immediate_shutdown,
}
