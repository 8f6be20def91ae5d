"""What is recorded of one post's way."""

from dataclasses import dataclass
from typing import Any

import asyncpg

from services.api.queries.connection import connection
from services.api.queries.posts import load
from services.api.schemas.general import Post

# What the worker has recorded: of the post, and of the batch in which it was analysed.
_JOURNEY = """
    SELECT a.queued_at, a.read_after_ms, a.analyzed_at, a.model_name, a.model_version, a.emotion_model_name,
           a.emotion_model_version, b.*
      FROM sentiment_analysis a LEFT JOIN analysis_batches b ON b.id = a.batch_id
     WHERE a.post_row_id = $1 AND a.is_current
"""


@dataclass(frozen=True)
class Recorded:
    """`values`: by column of _JOURNEY; empty for a post without an analysis."""

    post: Post
    values: dict[str, Any]


async def read_journey(pool: asyncpg.Pool, post_id: str) -> Recorded | None:
    """None where there is no such post, or none any more."""
    async with connection(pool) as held:
        post_row_id = await held.fetchval("SELECT id FROM social_media_post_keys WHERE post_id = $1", post_id)
        posts = await load(held, [post_row_id]) if post_row_id is not None else []
        if not posts:
            return None
        row = await held.fetchrow(_JOURNEY, post_row_id)
    return Recorded(posts[0], dict(row or {}))
