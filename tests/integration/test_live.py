"""Against the real network, for who asks for it: LIVE=1. Otherwise it says that it was not run."""

import asyncio
import os
from contextlib import aclosing

import pytest

from services.common.messages import Post
from services.ingester.sources import SourceOptions, sources_of

POSTS = 20
TIMEOUT_S = 60

pytestmark = pytest.mark.skipif("LIVE" not in os.environ, reason="not run: LIVE=1 asks the real network")


async def test_bluesky_gives_posts() -> None:
    [source] = sources_of("bluesky", SourceOptions(languages=["en"]))
    posts: list[Post] = []
    async with asyncio.timeout(TIMEOUT_S), aclosing(source.batches()) as batches:
        async for batch in batches:
            posts += [item for item in batch.items if isinstance(item, Post)]
            assert batch.position
            if len(posts) >= POSTS:
                break
    assert all(post.post_id.startswith("at://did:") for post in posts)
    assert source.health.state().errors == 0
