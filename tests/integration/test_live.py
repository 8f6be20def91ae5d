"""Against the real network, for who asks for it: LIVE=1. Otherwise it says that it was not run."""

import asyncio
import os
from contextlib import aclosing

import pytest

from services.common.messages import Post
from services.ingester.sources import SourceOptions, sources_of

TIMEOUT_S = 100

pytestmark = pytest.mark.skipif("LIVE" not in os.environ, reason="not run: LIVE=1 asks the real network")


@pytest.mark.parametrize(
    ("name", "options", "prefix", "count"),
    [
        ("bluesky", SourceOptions(languages=["en"]), "at://did:", 20),
        ("mastodon", SourceOptions(instance="mastodon.social"), "mastodon:mastodon.social/", 20),
        ("hackernews", SourceOptions(), "hackernews:", 2),
    ],
)
async def test_a_source_that_needs_no_account_gives_posts(
    name: str, options: SourceOptions, prefix: str, count: int
) -> None:
    [source] = sources_of(name, options)
    posts: list[Post] = []
    position = None
    async with asyncio.timeout(TIMEOUT_S), aclosing(source.batches()) as batches:
        async for batch in batches:
            posts += [item for item in batch.items if isinstance(item, Post)]
            position = batch.position or position
            if len(posts) >= count:
                break
    assert position
    assert all(post.post_id.startswith(prefix) for post in posts)
    assert source.health.state().errors == 0
