"""A master of the cluster dies and its replica takes over: nothing that counted as published is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from services.api.feed.subscription import Subscription
from services.api.metrics import ApiMetrics
from services.common.cluster import Client, ClusterClient, publish
from services.common.dead_letters import DeadLetters
from services.common.errors import Transient
from services.common.messages import AlertMessage, ResultsMessage, encode_message
from services.common.retry import until_done
from services.common.settings import Settings
from services.common.shards import shard_streams
from services.common.streams import RESULTS_CHANNEL, ensure_groups, open_client, redis_errors, total_state
from services.ingester.publisher import Publisher
from tests.integration.test_ingester import write
from tests.integration.test_worker import stored
from tests.posts import make_posts
from tests.processes import service
from tests.redis_cluster import Cluster, Node, running_cluster
from tests.shard_worker import ShardWorker, working
from tests.waiting import eventually

pytestmark = pytest.mark.long

GROUP = "workers"
SHARDS = 6
POSTS = 3_000
MODELLESS = "tests.integration.modelless_worker"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running_cluster(tmp_path) as cluster:
        yield cluster


@asynccontextmanager
async def connected(cluster: Cluster) -> AsyncIterator[ClusterClient]:
    async with open_client(cluster.url, cluster=True) as client:
        assert isinstance(client, ClusterClient)
        yield client


async def master_of(client: ClusterClient, cluster: Cluster, key: str) -> Node:
    await client.initialize()
    node = client.get_node_from_key(key)
    assert node is not None
    return cluster.node_at(int(node.port))


async def fail_over(client: ClusterClient, cluster: Cluster, key: str) -> Node:
    """Kills the node that has the key, and returns it when another one has it."""
    killed = await master_of(client, cluster, key)
    killed.kill()

    async def has_another() -> bool:
        try:
            with redis_errors():
                await client.look_again()
                await client.exists(key)
        except Transient:
            return False
        return await master_of(client, cluster, key) != killed

    await eventually(has_another, "the replica has taken over")
    return killed


async def is_done(redis: Client, streams: tuple[str, ...], group: str) -> bool:
    try:
        state = await total_state(redis, streams, group)
    except Transient:
        return False
    return (state.lag, state.pending) == (0, 0)


async def test_what_is_published_while_a_master_dies_is_read(cluster: Cluster) -> None:
    streams = shard_streams("posts", SHARDS)
    batches = [make_posts(20, seed=seed) for seed in range(150)]
    async with AsyncExitStack() as stack:
        client, *clients = [await stack.enter_async_context(connected(cluster)) for _ in range(4)]
        await ensure_groups(client, streams, GROUP)
        workers = [ShardWorker(each, "posts", streams, GROUP, may_die=True) for each in clients]
        for worker in workers:
            await stack.enter_async_context(working(worker))
        publisher = Publisher(client, streams, GROUP, 100_000, min_replicas=1)

        async def fail() -> None:
            watching = await stack.enter_async_context(connected(cluster))
            killed = await fail_over(watching, cluster, streams[0])
            # As whoever supervises the servers does: it is the new master's replica then, and posts count again.
            stack.enter_context(killed.restarted())

        failing = asyncio.create_task(asyncio.sleep(0))
        for number, batch in enumerate(batches):
            if number == 50:
                failing = asyncio.create_task(fail())
            assert await until_done("publish", partial(publisher.publish, batch), asyncio.Event())
        await failing
        await eventually(partial(is_done, client, streams, GROUP), "everything is acknowledged", 60)
        read = {entry.fields[b"post_id"].decode() for worker in workers for entry in worker.read}
        assert read == {post.post_id for batch in batches for post in batch}
        assert sorted(len(worker.consumer.reading) for worker in workers) == [2, 2, 2]


async def test_a_post_is_not_published_before_a_replica_has_it(cluster: Cluster) -> None:
    streams = shard_streams("posts", SHARDS)
    posts = make_posts(600)
    async with connected(cluster) as client:
        await ensure_groups(client, streams, GROUP)
        publisher = Publisher(client, streams, GROUP, 100_000, min_replicas=1)
        replicas = cluster.nodes[len(cluster.nodes) // 2 :]
        for replica in replicas:
            replica.process.send_signal(signal.SIGSTOP)
        for _ in range(3):
            with pytest.raises(Transient, match="REDIS_MIN_REPLICAS"):
                await publisher.publish(posts)
        assert publisher.published == 0
        # Tried again with a post of each shard, not with all of them.
        assert (await total_state(client, streams, GROUP)).lag == len(posts) + 2 * SHARDS
        for replica in replicas:
            replica.process.send_signal(signal.SIGCONT)
        assert await until_done("publish", partial(publisher.publish, posts), asyncio.Event())
        assert publisher.published == len(posts)


async def test_a_subscription_follows_its_channel_to_the_new_master(cluster: Cluster) -> None:
    heard: list[ResultsMessage | AlertMessage] = []
    message = encode_message(AlertMessage(change="raised", alert={"id": 1}))
    async with connected(cluster) as client, connected(cluster) as another:
        subscription = Subscription(client, heard.append, ApiMetrics())
        listening = asyncio.create_task(subscription.run(asyncio.Event()))

        async def hears() -> bool:
            try:
                with redis_errors():
                    await publish(another, RESULTS_CHANNEL, message)
            except Transient:
                return False
            return bool(heard)

        try:
            await eventually(hears, "an announcement")
            (await master_of(client, cluster, RESULTS_CHANNEL)).kill()
            heard.clear()
            await eventually(hears, "an announcement by the new master", 60)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["one stream", "server", "cluster"])
async def test_processes_store_every_post_once_while_a_worker_and_a_master_are_killed(
    kind: str, request: pytest.FixtureRequest, settings: Settings, tmp_path: Path
) -> None:
    cluster: Cluster | None = request.getfixturevalue("cluster") if kind == "cluster" else None
    settings = settings.model_copy(
        update={"stream_shards": 1 if kind == "one stream" else SHARDS, "worker_batch_size": 32, "max_stream_lag": 500}
        | ({"redis_url": cluster.url, "redis_cluster": True, "redis_min_replicas": 1} if cluster else {})
    )
    posts = make_posts(POSTS)
    file = write(tmp_path / "posts.jsonl", posts)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(open_client(settings.redis_dsn, cluster=cluster is not None))
        workers = [
            await stack.enter_async_context(service("worker", settings, tmp_path, module=MODELLESS)) for _ in range(3)
        ]
        ingester = await stack.enter_async_context(
            service("ingester", settings, tmp_path, "--source", "replay", "--file", str(file))
        )

        async def so_many(count: int) -> bool:
            return await stored(settings.database_dsn) >= count

        await eventually(partial(so_many, POSTS // 6), "posts are stored", 120)
        await workers[0].stop(signal.SIGKILL)
        await eventually(partial(so_many, POSTS // 3), "others go on", 120)
        if cluster is not None and isinstance(client, ClusterClient):
            killed = await fail_over(client, cluster, settings.streams[0])
            stack.enter_context(killed.restarted())
        assert await asyncio.wait_for(ingester.process.wait(), 120) == 0, ingester.output
        await eventually(partial(so_many, POSTS), "everything is stored", 120)
        await eventually(
            partial(is_done, client, settings.streams, settings.redis_consumer_group), "and acknowledged", 60
        )
        assert (await DeadLetters(client, settings.streams).count()).total == 0
        for worker in workers[1:]:
            assert await worker.stop() == 0, worker.output
            assert not worker.errors, worker.output
    assert await stored(settings.database_dsn) == POSTS
