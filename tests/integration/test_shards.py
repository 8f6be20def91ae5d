"""Several shards on a real Redis, and on a real cluster: every post is read, whoever comes and goes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.api.metrics import ApiMetrics
from services.common.cluster import Client, publish, subscribe
from services.common.dead_letters import DeadLetter, DeadLetters
from services.common.dead_letters.filters import FIRST_ID, Filter
from services.common.errors import ConfigurationError, Transient
from services.common.messages import Post, encode_post
from services.common.shards import shard_streams, stream_of
from services.common.streams import ensure_groups, group_states, open_client, redis_errors, total_state
from services.ingester.publisher import Publisher
from tests.posts import make_posts
from tests.redis_cluster import Cluster, running_cluster
from tests.redis_reads import entries
from tests.shard_worker import ShardWorker, working
from tests.waiting import eventually

GROUP = "workers"
SHARDS = 6


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(params=["server", "cluster"])
def kind(request: pytest.FixtureRequest) -> tuple[str, bool]:
    """The URL, and whether it is that of a cluster."""
    if request.param == "server":
        return request.getfixturevalue("redis_server"), False
    return request.getfixturevalue("cluster").url, True


@pytest.fixture
async def redis(kind: tuple[str, bool]) -> AsyncIterator[Client]:
    url, is_cluster = kind
    async with open_client(url, cluster=is_cluster) as client:
        yield client


@pytest.fixture
async def streams(redis: Client, stream_name: str) -> Sequence[str]:
    streams = shard_streams(stream_name, SHARDS)
    await ensure_groups(redis, streams, GROUP)
    return streams


def ids(worker: ShardWorker) -> list[str]:
    return [entry.fields[b"post_id"].decode() for entry in worker.read]


async def shared_as(workers: Sequence[ShardWorker], sizes: Sequence[int]) -> None:
    """Waits until the workers read so many shards each, the most first, and each shard is one worker's."""

    async def are() -> bool:
        reading = [worker.consumer.reading for worker in workers]
        return sorted(map(len, reading), reverse=True) == list(sizes) and len(frozenset().union(*reading)) == sum(sizes)

    await eventually(are, f"shares of {sizes}")


async def all_done(redis: Client, streams: Sequence[str]) -> bool:
    state = await total_state(redis, streams, GROUP)
    return (state.lag, state.pending) == (0, 0)


async def test_workers_that_come_and_go_read_every_post_once(
    redis: Client, stream_name: str, streams: Sequence[str]
) -> None:
    publisher = Publisher(redis, streams, GROUP, 100_000)
    workers = [ShardWorker(redis, stream_name, streams, GROUP) for _ in range(4)]
    async with AsyncExitStack() as stack:
        await publisher.publish(make_posts(200, prefix="a"))
        for count, sizes in enumerate(([6], [3, 3], [2, 2, 2], [2, 2, 1, 1]), 1):
            await stack.enter_async_context(working(workers[count - 1]))
            await shared_as(workers[:count], sizes)
            await publisher.publish(make_posts(200, prefix=f"b{count}"))
        for worker in workers[:2]:
            # While posts come: nothing stays with a worker that goes.
            await asyncio.gather(worker.stop(), publisher.publish(make_posts(200, prefix=worker.consumer.name)))
        await shared_as(workers[2:], [3, 3])
        await eventually(lambda: all_done(redis, streams), "everything is read")
    assert Counter(post_id for worker in workers for post_id in ids(worker)).most_common(1)[0][1] == 1
    assert sum(len(worker.read) for worker in workers) == publisher.published == 7 * 200
    assert all(entry.deliveries == 1 for worker in workers for entry in worker.read)
    for worker in workers:
        for entry in worker.read:
            assert entry.stream == stream_of(entry.fields[b"post_id"], streams)


async def test_what_a_dead_worker_had_is_taken_over(redis: Client, stream_name: str, streams: Sequence[str]) -> None:
    publisher = Publisher(redis, streams, GROUP, 100_000)
    dead, *living = (ShardWorker(redis, stream_name, streams, GROUP, may_die=True) for _ in range(3))
    dead.may_finish.clear()
    async with working(dead), working(living[0]), working(living[1]):
        await shared_as([dead, *living], [2, 2, 2])
        await publisher.publish(make_posts(300))

        async def in_hand() -> bool:
            return any(state.pending for state in await group_states(redis, sorted(dead.consumer.reading), GROUP))

        await eventually(in_hand, "the one that dies has posts in hand")
        await dead.kill()
        await shared_as(living, [3, 3])
        await eventually(lambda: all_done(redis, streams), "everything is acknowledged")
    read = [post_id for worker in living for post_id in ids(worker)]
    assert set(read) == {post.post_id for post in make_posts(300)}
    assert any(entry.deliveries > 1 for worker in living for entry in worker.read)


async def test_of_more_workers_than_shards_some_stand_by(redis: Client, stream_name: str) -> None:
    streams = shard_streams(stream_name, 2)
    await ensure_groups(redis, streams, GROUP)
    workers = [ShardWorker(redis, stream_name, streams, GROUP, may_die=True) for _ in range(3)]
    async with AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(working(worker))
        await shared_as(workers, [1, 1, 0])
        (reads_none,) = (worker for worker in workers if not worker.consumer.reading)
        (first, second) = (worker for worker in workers if worker.consumer.reading)
        await first.kill()
        await shared_as([second, reads_none], [1, 1])


async def test_a_shard_is_handed_over_when_what_was_read_of_it_is_done(
    redis: Client, stream_name: str, streams: Sequence[str]
) -> None:
    first, second = (ShardWorker(redis, stream_name, streams, GROUP) for _ in range(2))
    first.may_finish.clear()
    async with working(first):
        await shared_as([first], [SHARDS])
        await Publisher(redis, streams, GROUP, 100_000).publish(make_posts(60))
        await eventually(lambda: pending(redis, streams), "it has posts in hand")
        async with working(second):

            async def asked_to() -> bool:
                return len(first.consumer.reading) == SHARDS // 2

            await eventually(asked_to, "it reads no more of three shards")
            busy = {each for each in streams if (await group_states(redis, [each], GROUP))[0].pending}
            assert not second.consumer.reading & busy
            first.may_finish.set()
            await shared_as([first, second], [3, 3])
            await eventually(lambda: all_done(redis, streams), "everything is read")
    assert sorted(ids(first) + ids(second)) == sorted(post.post_id for post in make_posts(60))


async def pending(redis: Client, streams: Sequence[str]) -> int:
    return (await total_state(redis, streams, GROUP)).pending


async def test_the_limit_of_unread_posts_is_that_of_all_shards_together(redis: Client, streams: Sequence[str]) -> None:
    publisher = Publisher(redis, streams, GROUP, 100)
    assert await publisher.has_room(100)
    await publisher.publish(make_posts(90))
    assert await publisher.has_room(10)
    assert not await publisher.has_room(11)
    assert sum(state.lag for state in await group_states(redis, streams, GROUP)) == 90


async def test_without_replicas_nothing_counts_as_published_where_one_is_wanted(
    redis_url: str, stream_name: str
) -> None:
    async with open_client(redis_url, cluster=False) as client:
        publisher = Publisher(client, [stream_name], GROUP, 100, min_replicas=1)
        with pytest.raises(Transient, match="REDIS_MIN_REPLICAS"):
            await publisher.publish(make_posts(1))
        assert publisher.published == 0


def letter(post: Post, reason: str = "refused") -> DeadLetter:
    return DeadLetter("", {name.encode(): value.encode() for name, value in encode_post(post).items()}, reason, "no")


async def test_dead_letters_of_all_shards_are_listed_by_age_and_acted_on_once(
    redis: Client, streams: Sequence[str]
) -> None:
    dead, posts = DeadLetters(redis, streams), make_posts(20)
    for post in posts:
        await dead.bury([letter(post, "odd" if int(post.post_id[-1]) % 2 else "even")], GROUP)
    await dead.bury([letter(posts[0], "odd"), letter(posts[1], "odd")], GROUP)
    assert (await dead.count()).total == 21, "the second was known, the first for another reason"
    everything = (await dead.page(Filter(), limit=100)).letters
    assert len({each.id for each in everything}) == 21
    assert [each.buried_at for each in everything] == sorted((e.buried_at for e in everything), reverse=True)
    for wanted in (Filter(), Filter(reason="odd")):
        for limit in (1, 7, 50):
            down, place = list[str](), None
            while True:
                page = await dead.page(wanted, limit=limit, before_id=place)
                down += [each.id for each in page.letters]
                place = page.next_id
                if place is None:
                    break
            up, after, until = list[str](), FIRST_ID, await dead.newest_id()
            while True:
                page = await dead.oldest(wanted, after_id=after, until_id=until, limit=limit)
                up += [each.id for each in page.letters]
                if page.next_id is None:
                    break
                after = page.next_id
            expected = [each.id for each in everything if wanted.reason in (None, each.reason)]
            assert down == expected
            assert up == expected[::-1]
    chosen = everything[::4]
    assert await dead.find([each.id for each in chosen]) == chosen
    outcomes = await asyncio.gather(*(dead.replay(chosen) for _ in range(3)))
    assert sum(outcome.replayed for outcome in outcomes) == len(chosen)
    for stream in streams:
        for fields in await entries(redis, stream):
            assert stream_of(fields[b"post_id"], streams) == stream
    assert sum(await asyncio.gather(*(dead.drop([each.id for each in everything]) for _ in range(2)))) == 21 - len(
        chosen
    )
    assert (await dead.count()).total == 0
    assert await dead.find([everything[0].id, "1-0.63"]) == [None, None]


async def test_the_api_counts_all_shards_and_each(redis: Client, stream_name: str, streams: Sequence[str]) -> None:
    metrics = ApiMetrics()
    await Publisher(redis, streams, GROUP, 1_000).publish(make_posts(50))
    await DeadLetters(redis, streams).bury([letter(post) for post in make_posts(5)], GROUP)
    await metrics.observe_stream(redis, stream_name, streams, GROUP)
    assert metrics.stream is not None
    assert (metrics.stream.lag, metrics.stream.consumers, metrics.stream.dead_letters) == (50, 0, 5)
    for shard, state in enumerate(await group_states(redis, streams, GROUP)):
        assert f'undertone_shard_lag{{shard="{shard}"}} {float(state.lag)}' in metrics.text().decode()


async def test_who_has_subscribed_hears_what_is_published(redis: Client, stream_name: str) -> None:
    pubsub = await subscribe(redis, stream_name, 5)
    try:
        await publish(redis, stream_name, b"news")
        message = await pubsub.get_message(timeout=5)
        assert message is not None
        assert message["data"] == b"news"
    finally:
        await pubsub.aclose()  # type: ignore[no-untyped-call] # the library leaves it untyped


async def test_a_server_that_is_no_cluster_and_a_cluster_that_is_taken_for_a_server_are_named(
    redis_url: str, cluster: Cluster, tmp_path: Path
) -> None:
    async with open_client(redis_url, cluster=True) as client:
        with pytest.raises(ConfigurationError, match="REDIS_CLUSTER"), redis_errors():
            await client.xlen("posts")
    async with open_client(cluster.url, cluster=False) as client:
        with pytest.raises(ConfigurationError, match="REDIS_CLUSTER=true"):
            await ensure_groups(client, shard_streams("posts", SHARDS), GROUP)
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        async with open_client(cluster.url.replace("/0", "/3"), cluster=True):
            pass
