"""While a server is away a worker says so, waits, and goes on when it is back: nothing lost, nothing doubled."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from services.common.loopback import get
from services.common.settings import Settings
from services.common.streams import dead_letter_stream, open_redis
from tests.chaos.proxy import Proxy
from tests.integration.test_worker import nothing_is_open, publish, stored
from tests.ports import free_ports
from tests.posts import make_posts
from tests.processes import Service, service
from tests.waiting import eventually

Fault = Callable[[Proxy], AbstractContextManager[None]]


@dataclass
class Behind:
    """A worker whose servers are behind proxies."""

    worker: Service
    settings: Settings
    proxies: dict[str, Proxy]

    async def says(self, *lines: str) -> bool:
        """Whether all of these stand in its metrics."""
        _, body = await asyncio.to_thread(get, f"http://127.0.0.1:{self.settings.worker_metrics_port}/metrics")
        return set(lines) <= set(body.decode().splitlines())


@asynccontextmanager
async def behind_proxies(settings: Settings, folder: Path) -> AsyncIterator[Behind]:
    ports = {
        "redis": int(settings.redis_dsn.rpartition(":")[2].partition("/")[0]),
        "postgres": int(settings.database_dsn.rpartition(":")[2].partition("/")[0]),
        "triton": int(settings.triton_url.rpartition(":")[2]),
    }
    async with AsyncExitStack() as stack:
        proxies = {name: await stack.enter_async_context(Proxy.before(port)) for name, port in ports.items()}
        proxied = settings.model_copy(
            update={
                "redis_url": settings.redis_url.replace(f":{ports['redis']}", f":{proxies['redis'].port}"),
                "database_url": settings.database_url.replace(f":{ports['postgres']}", f":{proxies['postgres'].port}"),
                "triton_url": f"127.0.0.1:{proxies['triton'].port}",
                "worker_metrics_port": free_ports(1)[0],
                "inference_timeout_s": 8.0,
                "worker_claim_idle_ms": 60_000,
            }
        )
        worker = await stack.enter_async_context(service("worker", proxied, folder))
        yield Behind(worker, proxied, proxies)


@pytest.mark.parametrize(
    ("server", "fault"),
    [("redis", Proxy.cut), ("postgres", Proxy.cut), ("triton", Proxy.cut), ("triton", Proxy.stalled)],
)
async def test_a_worker_says_that_it_waits_and_goes_on_when_the_server_is_back(
    small_triton_settings: Settings, tmp_path: Path, server: str, fault: Fault
) -> None:
    settings, posts = small_triton_settings, make_posts(80, seed=8)
    ready, waiting = "undertone_worker_ready 1.0", "undertone_worker_ready 0.0"
    circuit = f'undertone_circuit_open{{dependency="{server}"}}'
    async with open_redis(settings.redis_dsn) as client, behind_proxies(settings, tmp_path) as behind:
        stream = settings.redis_stream_name
        await eventually(partial(is_up, behind, ready), "it is ready", 60)
        await publish(client, stream, posts[:20])
        await eventually(partial(nothing_is_open, client, settings), "the first are stored", 30)
        with fault(behind.proxies[server]):
            await publish(client, stream, posts[20:])
            await eventually(partial(behind.says, waiting, f"{circuit} 1.0"), "it says what it waits for", 40)
            assert await stored(settings.database_dsn) < len(posts)
        await eventually(partial(nothing_is_open, client, settings), "everything is stored", 60)
        await eventually(partial(behind.says, ready, f"{circuit} 0.0"), "it is ready again", 30)
        assert await behind.worker.stop() == 0, behind.worker.output
        told = [line for line in behind.worker.output.splitlines() if "waiting for a dependency" in line]
        assert told
        assert all(f"dependency={server}" in line for line in told), behind.worker.output
        assert "is back" in behind.worker.output
        assert await client.xlen(dead_letter_stream(stream)) == 0
    assert await stored(settings.database_dsn) == len(posts)


async def is_up(behind: Behind, line: str) -> bool:
    try:
        return await behind.says(line)
    except OSError:
        return False
