"""What is different where Redis is a cluster: a client may be of one server, or of all the nodes.

A key belongs to the node that has its slot. What is done with several keys at once, in a script, has to stay within one
slot: of a name with a part in braces, only that part says in which it is.
"""

from collections.abc import Collection
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline, PubSub
from redis.asyncio.cluster import ClusterPipeline, RedisCluster
from redis.exceptions import AskError, ConnectionError, MovedError, TimeoutError, TryAgainError

from services.common.connections import mended

# How long a write waits for the replicas.
WAIT_MS = 1_000


class ClusterClient(RedisCluster):
    """Asks also the node that it was given, not only those that it has heard of: all may have new addresses."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # The library has no option for it. Nodes that it hears of later are made of the same options.
        self.connection_kwargs["connection_class"] = mended(self.connection_kwargs["connection_class"])
        for node in self.startup_nodes:
            node.connection_class = mended(node.connection_class)

    async def initialize(
        self,
        additional_startup_nodes_info: list[tuple[str, int]] | None = None,
        last_failed_node_name: str | None = None,
    ) -> RedisCluster:
        self._remember_given_node()
        return await super().initialize(additional_startup_nodes_info, last_failed_node_name)

    async def look_again(self) -> None:
        """Asks the nodes which of them has which slot."""
        self._remember_given_node()
        await self.nodes_manager.initialize()

    def _remember_given_node(self) -> None:
        for node in self.startup_nodes:
            self.nodes_manager.startup_nodes.setdefault(node.name, node)


Client = Redis | ClusterClient


async def ping(redis: Client) -> None:
    """Returns if the server answers; of a cluster, every node that takes writes."""
    if isinstance(redis, ClusterClient):
        await redis.ping(target_nodes=RedisCluster.PRIMARIES)
    else:
        await redis.ping()


async def execute(redis: Client, pipeline: Pipeline | ClusterPipeline) -> list[Any]:
    """What each command of the pipeline gave; raises the first error of any.

    From a single command that fails the client learns that the slots may be elsewhere by now, from a pipeline not.
    """
    try:
        return await pipeline.execute()
    except (ConnectionError, TimeoutError):
        await look_again(redis)
        raise


async def execute_replicated(
    redis: Client, pipeline: Pipeline | ClusterPipeline, keys: Collection[str], replicas: int
) -> int:
    """The same, and waits until so many replicas of each node that has one of the keys have what was written to it.

    How many there were in the end, where there were fewest; fewer than wanted if they did not answer within WAIT_MS.
    """
    # It counts what the same connection has written, so it has to be a command of the pipeline, behind all others.
    if isinstance(redis, ClusterClient) and isinstance(pipeline, ClusterPipeline):
        await redis.initialize()
        nodes = {redis.get_node_from_key(key) for key in keys}
        for node in nodes:
            pipeline.wait(replicas, WAIT_MS, target_nodes=node)
        try:
            # What is redirected goes to another node over another connection.
            answers = await pipeline.execute(allow_redirections=False)
        except (ConnectionError, TimeoutError, AskError, TryAgainError) as error:
            await look_again(redis)
            raise ConnectionError(f"a slot of the cluster is moving: {error}") from error
        if {redis.get_node_from_key(key) for key in keys} != nodes:
            raise ConnectionError("a slot of the cluster has moved meanwhile")
        return int(min(answers[-len(nodes) :]))
    pipeline.wait(replicas, WAIT_MS)
    return int((await execute(redis, pipeline))[-1])


async def look_again(redis: Client) -> None:
    """Asks the nodes of a cluster which of them has which slot."""
    if isinstance(redis, ClusterClient):
        await redis.look_again()


async def publish(redis: Client, channel: str, message: bytes) -> None:
    """To whoever has subscribed by `subscribe`. In a cluster only the node that has the channel's slot is asked."""
    await (redis.spublish if isinstance(redis, ClusterClient) else redis.publish)(channel, message)


def add_publish(pipeline: Pipeline | ClusterPipeline, channel: str, message: bytes) -> None:
    """The same as a command of a pipeline."""
    (pipeline.spublish if isinstance(pipeline, ClusterPipeline) else pipeline.publish)(channel, message)


async def subscribe(redis: Client, channel: str, timeout_s: float) -> PubSub:
    """A connection of its own on which the channel's messages come, of type `message` or `smessage`.

    TimeoutError where the server has not confirmed it after `timeout_s`.
    """
    pubsub = redis.pubsub() if isinstance(redis, Redis) else await _on_node_of(redis, channel)
    try:
        await (pubsub.subscribe if isinstance(redis, Redis) else pubsub.ssubscribe)(channel)
        message = await pubsub.get_message(timeout=timeout_s)
        if message is None or message["type"] not in ("subscribe", "ssubscribe"):
            raise TimeoutError("Redis did not confirm the subscription")
        return pubsub
    except BaseException as error:
        await pubsub.aclose()  # type: ignore[no-untyped-call] # the library leaves it untyped
        if isinstance(error, ConnectionError | TimeoutError | MovedError):
            await look_again(redis)
        if isinstance(error, MovedError):
            raise ConnectionError(f"another node has the channel: {error}") from error
        raise


async def _on_node_of(redis: ClusterClient, channel: str) -> PubSub:
    await redis.initialize()
    node = redis.get_node_from_key(channel)
    if node is None:
        raise ConnectionError("no node of the cluster has the channel's slot")
    return PubSub(ConnectionPool(connection_class=node.connection_class, **node.connection_kwargs))
