"""A real Redis Cluster on loopback: three masters, each with a replica."""

import asyncio
import signal
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from redis.asyncio import Redis

from services.local.child import Child
from services.local.redis import redis_child
from tests.embedded import PASSWORD, running
from tests.ports import free_ports
from tests.waiting import eventually

MASTERS = 3
NODES = 2 * MASTERS
SLOTS = 16_384
# So long a master has to be silent before its replica takes over.
NODE_TIMEOUT_MS = 2_000
CONFIGURATION = """
cluster-enabled yes
cluster-port {bus_port}
cluster-node-timeout {node_timeout_ms}
masterauth {password}
repl-diskless-sync-delay 0
"""


@dataclass(frozen=True)
class Node:
    port: int
    bus_port: int
    process: subprocess.Popen[bytes]
    child: Child
    folder: Path

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    @contextmanager
    def restarted(self) -> Iterator[None]:
        """With the data that it had; until the end of the block."""
        with running(self.child, self.folder):
            yield


@dataclass(frozen=True)
class Cluster:
    nodes: list[Node]

    @property
    def url(self) -> str:
        """That of the first node."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self.nodes[0].port}/0"

    def node_at(self, port: int) -> Node:
        return next(node for node in self.nodes if node.port == port)


@contextmanager
def running_cluster(base_dir: Path) -> Iterator[Cluster]:
    """Ready when every replica follows its master."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(_node(base_dir, number)) for number in range(NODES)]
        # On a thread of its own: the caller may have an event loop running.
        failures: list[BaseException] = []
        thread = threading.Thread(target=_run, args=(lambda: _form(nodes), failures))
        thread.start()
        thread.join()
        if failures:
            raise failures[0]
        yield Cluster(nodes)


@contextmanager
def _node(base_dir: Path, number: int) -> Iterator[Node]:
    port, bus_port = free_ports(2)
    child = redis_child(data_dir=base_dir / f"node-{number}", port=port, password=PASSWORD, appendfsync="no")
    more = CONFIGURATION.format(bus_port=bus_port, node_timeout_ms=NODE_TIMEOUT_MS, password=PASSWORD)
    child = replace(child, name=f"redis-{number}", stdin=(child.stdin or b"") + more.encode())
    with running(child, base_dir) as process:
        yield Node(port, bus_port, process, child, base_dir)


def _run(work: Callable[[], Awaitable[None]], failures: list[BaseException]) -> None:
    async def run() -> None:
        await work()

    try:
        asyncio.run(run())
    except BaseException as error:
        failures.append(error)


async def _ask(client: Redis, *command: object) -> str:
    return str(await client.execute_command(*command))  # type: ignore[no-untyped-call] # the library leaves it untyped


async def _form(nodes: list[Node]) -> None:
    clients = [Redis(host="127.0.0.1", port=node.port, password=PASSWORD, decode_responses=True) for node in nodes]
    try:
        for number, client in enumerate(clients):
            await _ask(client, "CLUSTER SET-CONFIG-EPOCH", number + 1)
        for number, client in enumerate(clients[:MASTERS]):
            first, last = number * SLOTS // MASTERS, (number + 1) * SLOTS // MASTERS - 1
            await _ask(client, "CLUSTER ADDSLOTSRANGE", first, last)
        for node in nodes[1:]:
            await _ask(clients[0], "CLUSTER MEET", "127.0.0.1", node.port, node.bus_port)
        masters = [await _ask(client, "CLUSTER MYID") for client in clients[:MASTERS]]
        for master, client in zip(masters, clients[MASTERS:], strict=True):

            async def knows(client: Redis = client, master: str = master) -> bool:
                return master in await _ask(client, "CLUSTER NODES")

            await eventually(knows, "the replica has heard of its master")
            await _ask(client, "CLUSTER REPLICATE", master)

        async def is_ready() -> bool:
            states = [await _ask(client, "CLUSTER INFO") for client in clients]
            links = [(await client.info("replication")).get("master_link_status") for client in clients[MASTERS:]]
            whole = all("'cluster_state': 'ok'" in state for state in states)
            return whole and links == ["up"] * MASTERS

        await eventually(is_ready, "the cluster has formed")
    finally:
        for client in clients:
            await client.aclose()
