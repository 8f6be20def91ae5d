"""The Triton servers that TRITON_URL leads to: a channel to each, which of them gets the next request, and who rests.

Not gRPC's round_robin, which knows whether a connection stands and no more: Triton's health service has no Watch to be
told by, a server that drains keeps its connections and answers NOT_FOUND, and during a roll-out a version has to be
asked of a server that has it. Connections, their keep-alive and their way back are gRPC's in each channel.
"""

import asyncio
import random
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, TypeVar

import grpc
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from services.common.addresses import in_url
from services.common.logging import get_logger

log = get_logger(__name__)

T = TypeVar("T")
# A model's name and a version of it.
Version = tuple[str, int]
# Opens a client for `host:port`; the certificate has to be that of `host`, the second.
Opening = Callable[[str, str], InferenceServerClient]

# A server that could not answer for a version is passed over for it so long, while another one can.
PASSED_OVER_S = 2.0
# How often a server that rests is asked whether it is ready, and how long it may take to say so.
LOOK_INTERVAL_S = 0.5
LOOK_TIMEOUT_S = 1.0
# How old may be what we know of the addresses behind a name.
RESOLVE_INTERVAL_S = 5.0
# How long closing waits for requests that nobody waits for any more.
CLOSE_TIMEOUT_S = 5.0


class Server:
    """One of them. `address`: its `host:port`; the time of each version until which it is passed over for that."""

    def __init__(self, address: str, client: InferenceServerClient) -> None:
        self.address = address
        self.client = client
        self.rests = False
        # Of each model: when it last had the turn. The first turns are drawn, or many processes would begin with the
        # same server.
        self.turns: dict[str, float] = defaultdict(lambda: -random.random())
        self.passed_over: dict[Version, float] = {}
        self._at_work: set[asyncio.Task[Any]] = set()
        self._requests: Counter[str] = Counter()

    def to_do(self, model: str) -> tuple[int, int]:
        """How many requests it has of that model, and how many in all."""
        return self._requests[model], self._requests.total()

    async def run(self, call: Coroutine[Any, Any, T]) -> T:
        """The answer. Where we are cancelled, so is the call."""
        return await self._started(call)

    async def run_to_its_end(self, call: Coroutine[Any, Any, T], model: str) -> T:
        """The answer of the model. Where we are cancelled, the call is not: its answer comes, and is thrown away.

        A cancellation that meets the answer on its way out crashes the server, about one in ten thousand does
        (triton-inference-server/server issue 8034).
        """
        task = self._started(call)
        self._requests[model] += 1
        task.add_done_callback(lambda _: self._requests.subtract([model]))
        return await asyncio.shield(task)

    def _started(self, call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(call)
        self._at_work.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._at_work.discard(task)
        # Where nobody waits any more, nobody has to hear of the error: it is asked for, or asyncio would log it.
        if not task.cancelled():
            task.exception()

    async def is_ready(self) -> bool:
        """Not while it drains, and not while it cannot be reached."""
        try:
            return bool(await self.run(self.client.is_server_ready(client_timeout=LOOK_TIMEOUT_S)))
        except (InferenceServerException, grpc.RpcError, OSError):
            return False

    async def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Waits for what is still at the server, but not for long."""
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=timeout_s)
        await self.client.close()


class Servers:
    """`names`: `host:port` each. A name that leads to several addresses is as many servers, and followed."""

    def __init__(self, names: Sequence[str], opening: Opening, timeout_s: float) -> None:
        """`timeout_s`: how long a request may be at a server that is no longer among the addresses."""
        self._names = names
        self._opening = opening
        self._timeout_s = timeout_s
        self._addresses: dict[str, list[str]] = {name: [name] for name in names}
        self._servers: dict[str, Server] = {}
        self._to_be_resolved = [name for name in names if not _is_address(name)]
        self._resolved_at = float("-inf")
        self._resolving: asyncio.Task[None] | None = None
        self._looking: dict[Server, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._turn = 0

    async def known(self) -> list[Server]:
        """All of them, at least one, in the order of the names."""
        now = time.monotonic()
        if self._to_be_resolved and self._resolving is None and now - self._resolved_at >= RESOLVE_INTERVAL_S:
            self._resolved_at = now
            self._resolving = asyncio.create_task(self._resolve())
        if not self._servers:
            # Later on the names are looked up beside the requests.
            if self._resolving is not None:
                await asyncio.shield(self._resolving)
            else:
                self._update()
        return list(self._servers.values())

    async def at_work(self) -> list[Server]:
        """Those that do not rest; all of them where they all do."""
        known = await self.known()
        return [server for server in known if not server.rests] or known

    async def next(self, version: Version, tried: Iterable[Server]) -> Server | None:
        """The server that a request for that version goes to: of those that are at work the one with the least to do.

        For that model first: with two requests for two models at a time, two servers, and nothing but sums, each server
        would have one model, and its other one would idle. None where all that may be asked were tried.
        """
        now = time.monotonic()
        candidates = [server for server in await self.at_work() if server not in tried]
        if not candidates or (tried and all(server.rests for server in candidates)):
            return None
        model, _ = version
        chosen = min(candidates, key=lambda s: (s.passed_over.get(version, 0.0) > now, *s.to_do(model), s.turns[model]))
        self._turn += 1
        chosen.turns[model] = self._turn
        return chosen

    def said_of(self, server: Server) -> str:
        """Its address, where there is more than one that it could be."""
        return server.address if len(self._servers) > 1 else ""

    def could_not(self, server: Server, reason: str, version: Version | None = None) -> None:
        """It rests until it says that it is ready, and does not get what it failed at for a while."""
        if len(self._servers) < 2:
            return
        if version is not None:
            server.passed_over[version] = time.monotonic() + PASSED_OVER_S
        if not server.rests:
            server.rests = True
            self._looking[server] = asyncio.create_task(self._look(server, reason))

    async def _look(self, server: Server, reason: str) -> None:
        began, said = time.monotonic(), False
        try:
            while not await server.is_ready():
                if not said:
                    said = True
                    log.warning("a Triton server is not ready, others answer", server=server.address, error=reason)
                await asyncio.sleep(LOOK_INTERVAL_S)
            if said:
                log.info("the Triton server is ready", server=server.address, away_s=round(time.monotonic() - began, 1))
                server.passed_over.clear()
        finally:
            server.rests = False
            self._looking.pop(server, None)

    async def _resolve(self) -> None:
        try:
            found = await asyncio.gather(*(_addresses(name) for name in self._to_be_resolved))
            for name, addresses in zip(self._to_be_resolved, found, strict=True):
                # A name that leads nowhere just now says nothing of the servers that are known.
                self._addresses[name] = addresses or self._addresses[name]
            self._update()
        finally:
            self._resolving = None

    def _update(self) -> None:
        """Opens what is new among the addresses, and lets go of what is no longer there."""
        former = self._servers
        self._servers = {}
        for name in self._names:
            host = name.rpartition(":")[0]
            for address in self._addresses[name]:
                kept = former.pop(address) if address in former else None
                self._servers[address] = kept or Server(address, self._opening(address, host))
        for server in former.values():
            if looking := self._looking.pop(server, None):
                looking.cancel()
            leaving = asyncio.create_task(server.close(self._timeout_s))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """Waits for what is still at the servers, but not for long."""
        background = [*self._looking.values(), *([self._resolving] if self._resolving else [])]
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await asyncio.gather(*(server.close() for server in self._servers.values()))
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=CLOSE_TIMEOUT_S)


def _is_address(name: str) -> bool:
    with suppress(ValueError):
        ip_address(name.rpartition(":")[0].strip("[]"))
        return True
    return False


async def _addresses(name: str) -> list[str]:
    """What the name leads to; the name itself where that is one address, which gRPC looks up and follows by itself.

    Empty where it leads nowhere. A server that has an address of IPv4 and one of IPv6 is one.
    """
    host, _, port = name.rpartition(":")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    family = socket.AF_INET if any(each[0] == socket.AF_INET for each in found) else socket.AF_INET6
    addresses = sorted({f"{in_url(str(each[4][0]))}:{port}" for each in found if each[0] == family})
    return addresses if len(addresses) > 1 else [name]
