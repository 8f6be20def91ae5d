"""Storing as the worker of the version before does, for tests of upgrades while both are at work."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from pathlib import Path

import asyncpg

from services.common.database import database_errors
from services.common.messages import Analysis, Post

_STATEMENT = Path(__file__).with_name("store_before_0006.sql").read_text()
_POST = attrgetter("post_id", "source", "content", "author", "created_at")
_ANALYSIS = attrgetter(
    "model_name",
    "sentiment_label",
    "confidence",
    "emotion",
    "emotion_confidence",
    "model_version",
    "emotion_model_name",
    "emotion_model_version",
)


async def store_before_0006(pool: asyncpg.Pool, posts: Sequence[tuple[Post, Analysis]], analysed_at: datetime) -> None:
    """Stores posts with ids that differ; Transient if PostgreSQL is away or not as it must be."""
    columns = [*zip(*(_POST(post) for post, _ in posts), strict=True)]
    columns += zip(*(_ANALYSIS(analysis) for _, analysis in posts), strict=True)
    with database_errors():
        await pool.execute(_STATEMENT, *columns, analysed_at)
