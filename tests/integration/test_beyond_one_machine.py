"""All that grows beyond one machine at once: a cluster of Redis, several shards, workers, Tritons and APIs, of each of
which one is killed under load. Every post is stored once.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from services.common.cluster import ClusterClient
from services.common.dead_letters import DeadLetters
from services.common.settings import Settings
from services.common.shards import lease
from services.common.streams import group_states, open_client
from tests.integration.test_failover import fail_over
from tests.integration.test_ingester import write
from tests.integration.test_worker import stored
from tests.integration.triton_server import child_of, started
from tests.integration.version_repositories import make_repository
from tests.ports import free_ports
from tests.posts import make_posts
from tests.processes import Service, service
from tests.redis_cluster import running_cluster
from tests.waiting import eventually

pytestmark = pytest.mark.long

POSTS = 50_000
SHARDS, WORKERS, MORE_WORKERS = 6, 4, 2
# Of all that is stored, when something happens.
WORKER_DIES, TRITON_DIES, API_DIES, MASTER_DIES, WORKERS_COME = 0.1, 0.2, 0.3, 0.4, 0.55
TIMEOUT_S = 600.0


class Tritons:
    """Two servers, each with a copy of the same models."""

    def __init__(self, folder: Path) -> None:
        self.repository = make_repository(folder / "models").folder
        shutil.copytree(self.repository, folder / "copy", symlinks=True)
        self._folder = folder
        self._repositories = [self.repository, folder / "copy"]
        self._ports = [free_ports(2), free_ports(2)]
        self._starts = 0

    @property
    def url(self) -> str:
        return ",".join(f"127.0.0.1:{grpc_port}" for grpc_port, _ in self._ports)

    @asynccontextmanager
    async def start(self, number: int) -> AsyncIterator[int]:
        """The process id of the server, which leads a group of its own."""
        self._starts += 1
        work = self._folder / f"work-{self._starts}"
        work.mkdir()
        server = started(child_of(work, self._repositories[number], self._ports[number]))
        process = await asyncio.to_thread(server.__enter__)
        try:
            yield process.pid
        finally:
            await asyncio.to_thread(server.__exit__, None, None, None)


@pytest.mark.timeout(900)
async def test_one_of_each_is_killed_and_every_post_is_stored_once(settings: Settings, tmp_path: Path) -> None:
    posts = make_posts(POSTS)
    file = write(tmp_path / "posts.jsonl", posts)
    with running_cluster(tmp_path) as cluster:
        async with AsyncExitStack() as stack:
            tritons = Tritons(tmp_path)
            first_triton = await stack.enter_async_context(tritons.start(0))
            await stack.enter_async_context(tritons.start(1))
            api_ports = free_ports(2)
            settings = settings.model_copy(
                update={
                    "stream_shards": SHARDS,
                    "redis_url": cluster.url,
                    "redis_cluster": True,
                    "redis_min_replicas": 1,
                    "triton_url": tritons.url,
                    "model_repository": tritons.repository,
                    "max_stream_lag": 5_000,
                    "log_level": "INFO",
                }
            )
            client = await stack.enter_async_context(open_client(settings.redis_dsn, cluster=True))
            assert isinstance(client, ClusterClient)

            async def start(name: str, *arguments: str, **changes: int) -> Service:
                return await stack.enter_async_context(
                    service(name, settings.model_copy(update=changes), tmp_path, *arguments)
                )

            workers = [await start("worker") for _ in range(WORKERS)]
            apis = [await start("api", api_port=port) for port in api_ports]
            ingester = await start("ingester", "--source", "replay", "--file", str(file))

            async def reaches(share: float) -> None:
                async def are_stored() -> bool:
                    codes = {each: each.process.returncode for each in (*workers, *apis)}
                    ended = [each for each, code in codes.items() if code not in (None, -signal.SIGKILL)]
                    assert not ended, ended[0].output[-5_000:]
                    return await stored(settings.database_dsn) >= share * POSTS

                await eventually(are_stored, f"{share:.0%} of the posts are stored", TIMEOUT_S)

            await reaches(WORKER_DIES)
            await workers[0].stop(signal.SIGKILL)
            await reaches(TRITON_DIES)
            os.killpg(first_triton, signal.SIGKILL)
            await reaches(API_DIES)
            await apis[0].stop(signal.SIGKILL)
            apis[0] = await start("api", api_port=api_ports[0])
            await stack.enter_async_context(tritons.start(0))
            await reaches(MASTER_DIES)
            killed = await fail_over(client, cluster, settings.streams[0])
            stack.enter_context(killed.restarted())
            await reaches(WORKERS_COME)
            workers += [await start("worker") for _ in range(MORE_WORKERS)]
            assert await asyncio.wait_for(ingester.process.wait(), TIMEOUT_S) == 0, ingester.output[-5_000:]
            await reaches(1.0)

            async def everything_is_acknowledged() -> bool:
                states = await group_states(client, settings.streams, settings.redis_consumer_group)
                return all((state.lag, state.pending) == (0, 0) for state in states)

            await eventually(everything_is_acknowledged, "every shard is read to its end", TIMEOUT_S)
            living = [worker for worker in workers if worker.process.returncode is None]

            async def shares() -> list[int]:
                owners: list[Any] = [await client.get(lease(stream)) or b"" for stream in settings.streams]
                return sorted(sum(b"-%d-" % worker.process.pid in owner for owner in owners) for worker in living)

            async def are_fair() -> bool:
                # Six shards, five workers.
                return await shares() == [1, 1, 1, 1, 2]

            await eventually(are_fair, "the living workers share all shards", TIMEOUT_S)
            assert (await DeadLetters(client, settings.streams).count()).total == 0
            await compare(settings, {post.post_id for post in posts})
            await both_apis_say(api_ports, POSTS)
            for worker in living:
                assert await worker.stop() == 0, worker.output[-5_000:]
                assert not worker.errors, worker.errors


async def compare(settings: Settings, published: set[str]) -> None:
    """0 lost, 0 doubled, and the roll-ups count each once."""
    connection = await asyncpg.connect(settings.database_dsn)
    try:
        ids = [row["post_id"] for row in await connection.fetch("SELECT post_id FROM social_media_posts")]
        analyses = [row["post_id"] for row in await connection.fetch("SELECT post_id FROM sentiment_analysis")]
        counted = await connection.fetchval("SELECT sum(posts) FROM sentiment_minutes")
    finally:
        await connection.close()
    assert len(ids) == len(analyses) == len(published)
    assert set(ids) == set(analyses) == published
    assert counted == len(published)


async def both_apis_say(ports: tuple[int, ...] | list[int], count: int) -> None:
    """The killed one, which was started again, and the one that lived."""
    async with httpx.AsyncClient() as client:
        for port in ports:

            async def says_so(port: int = port) -> bool:
                answer = await client.get(f"http://127.0.0.1:{port}/api/health")
                return answer.status_code == 200 and answer.json()["stats"]["total_posts"] == count

            await eventually(says_so, f"the API at port {port} counts every post", TIMEOUT_S)
