"""`python -m services.ingester`: posts from a source into the stream, until the source ends or SIGTERM."""

import argparse
import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TypeVar

from services.common.background import heartbeat, in_background
from services.common.dead_letters import DeadLetter, DeadLetters
from services.common.lifecycle import run_service
from services.common.logging import get_logger
from services.common.messages import Post
from services.common.metrics import serve_metrics
from services.common.retry import until_done
from services.common.settings import Settings
from services.common.streams import ensure_groups, open_client
from services.ingester.publisher import HEARTBEAT, REFUSED, Publisher
from services.ingester.sources import open_source
from services.ingester.sources.base import Malformed

log = get_logger(__name__)

ROOM_POLL_S = 0.05
EXAMPLES = """examples:
  python -m services.ingester                                        simulated posts, POSTS_PER_MINUTE of them
  python -m services.ingester --source replay --file posts.jsonl     a file, as fast as the workers follow
  python -m services.ingester --source replay --file posts.csv.gz --rate 600
"""


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.ingester",
        description="Publishes posts to the stream. Settings come from the environment (.env.example lists them).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--source", default="simulate", help="simulate (the default) or replay")
    parser.add_argument("--file", type=Path, help="replay: JSON lines or CSV, plain or .gz")
    parser.add_argument("--rate", type=float, help="posts a minute; replay: without it, as fast as the workers follow")
    parser.add_argument("--seed", type=int, help="simulate: the same seed gives the same posts")
    return parser.parse_args()


async def main(arguments: argparse.Namespace, settings: Settings, stopping: asyncio.Event) -> None:
    default_rate = settings.posts_per_minute if arguments.source == "simulate" else None
    rate = default_rate if arguments.rate is None else arguments.rate
    source = open_source(
        arguments.source,
        file=arguments.file,
        rate_per_minute=rate,
        seed=arguments.seed,
    )
    streams, group = settings.streams, settings.redis_consumer_group
    async with open_client(settings.redis_dsn, cluster=settings.redis_cluster) as redis:
        publisher = Publisher(redis, streams, group, settings.max_stream_lag, settings.redis_min_replicas)
        dead = DeadLetters(redis, streams)

        async def deliver(batch: Sequence[Post | Malformed]) -> bool:
            """False if told to stop before everything was in the stream."""
            posts = [item for item in batch if isinstance(item, Post)]
            refused = [item for item in batch if isinstance(item, Malformed)]
            letters = [
                DeadLetter(
                    "", {k.encode(): v.encode() for k, v in item.fields.items()}, item.reason, item.error, cut=item.cut
                )
                for item in refused
            ]
            for item in refused:
                REFUSED.labels(item.reason).inc()
                log.warning("not a post; it is among the dead letters", reason=item.reason, error=item.error)
            return (
                await until_done("dead letters", partial(dead.bury, letters, group), stopping)
                and await wait_for_room(publisher, len(posts), settings.max_stream_lag, stopping)
                and await until_done("publish", partial(publisher.publish, posts), stopping)
            )

        with serve_metrics(settings.metrics_host, settings.ingester_metrics_port, "INGESTER_METRICS_PORT"):
            async with in_background(heartbeat(HEARTBEAT)):
                if not await until_done("start", partial(ensure_groups, redis, streams, group), stopping):
                    return
                log.info("publishing", source=source.name, stream=settings.redis_stream_name, shards=len(streams))
                async with aclosing(source.batches()) as batches:
                    batch = await next_or_stop(anext(batches, None), stopping)
                    while batch and await deliver(batch):
                        batch = await next_or_stop(anext(batches, None), stopping)
            ended = "stopped" if stopping.is_set() else "the source has ended"
            log.info(ended, published=publisher.published)


T = TypeVar("T")


async def next_or_stop(item: Awaitable[T], stopping: asyncio.Event) -> T | None:
    """The item, or None if the ingester is told to stop while it waits for it."""
    waiting = asyncio.ensure_future(item)
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({waiting, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if waiting.done():
        return waiting.result()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    return None


async def wait_for_room(publisher: Publisher, count: int, max_lag: int, stopping: asyncio.Event) -> bool:
    """Holds back while the workers have more than `max_lag` posts before them, and says so at both ends."""
    told = False
    room = False

    async def ask() -> None:
        nonlocal room
        room = await publisher.has_room(count)

    while await until_done("lag", ask, stopping):
        if room:
            if told:
                log.info("the workers have caught up enough; going on")
            return True
        if not told:
            log.warning("waiting: the workers are behind", max_stream_lag=max_lag)
            told = True
        await asyncio.sleep(ROOM_POLL_S)
    return False


if __name__ == "__main__":
    run_service("ingester", partial(main, parse()))
