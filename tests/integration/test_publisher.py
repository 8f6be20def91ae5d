"""Several publish at once, by one publisher."""

import asyncio
from collections.abc import Collection

import pytest
from redis.asyncio.client import Pipeline

from services.common import publisher
from services.common.cluster import Client, execute
from services.common.publisher import Publisher
from services.common.settings import Settings
from services.common.streams import open_redis
from tests.posts import make_posts
from tests.redis_reads import entry_ids

AT_ONCE = 5


async def test_while_replicas_are_waited_for_others_publish_each_post_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_wait = asyncio.Barrier(AT_ONCE)

    async def replicated(redis: Client, pipeline: Pipeline, _: Collection[str], replicas: int) -> int:
        await all_wait.wait()
        await execute(redis, pipeline)
        return replicas

    monkeypatch.setattr(publisher, "execute_replicated", replicated)
    stream = settings.redis_stream_name
    async with open_redis(settings.redis_dsn) as redis, asyncio.timeout(10):
        several = Publisher(redis, [stream], "group", 1_000, min_replicas=1)
        await asyncio.gather(*(several.publish(make_posts(3)) for _ in range(AT_ONCE)))
        assert len(await entry_ids(redis, stream)) == 3 * AT_ONCE
