"""Posts and analyses into PostgreSQL: one transaction a batch, harmless when it is repeated."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from services.common.database import database_errors
from services.common.messages import AnalysedPost, Analysis, Post

# Both statements travel and commit as one. A post that is stored already changes nothing and is not returned: what
# comes back is exactly what is new.
_INSERT = """
WITH incoming AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],
                         $8::real[], $9::text[], $10::real[], $11::int[], $12::text[], $13::int[])
           AS t (post_id, source, content, author, created_at, model_name, label, confidence,
                 emotion, emotion_confidence, model_version, emotion_model_name, emotion_model_version)
), stored AS (
    INSERT INTO social_media_posts (post_id, source, content, author, created_at)
    SELECT post_id, source, content, author, created_at FROM incoming
    ON CONFLICT (post_id) DO NOTHING
    RETURNING post_id
), analysed AS (
    INSERT INTO sentiment_analysis
           (post_id, model_name, sentiment_label, confidence_score, emotion, emotion_confidence,
            model_version, emotion_model_name, emotion_model_version, analyzed_at)
    SELECT DISTINCT ON (i.post_id)
           i.post_id, i.model_name, i.label, i.confidence, i.emotion, i.emotion_confidence,
           i.model_version, i.emotion_model_name, i.emotion_model_version, $14::timestamptz
    FROM incoming AS i JOIN stored USING (post_id)
    ON CONFLICT (post_id, model_name) DO NOTHING
)
SELECT post_id FROM stored
"""


async def store(
    pool: asyncpg.Pool, posts: Sequence[tuple[Post, Analysis]], analysed_at: datetime
) -> list[AnalysedPost]:
    """Stores the batch; what it returns are the posts that were not there before, each once, in their order.

    Transient if PostgreSQL is away (nothing is stored then), Rejected if it refuses a value.
    """
    if not posts:
        return []
    columns: list[list[object]] = [[] for _ in range(13)]
    for post, analysis in posts:
        row = (
            post.post_id,
            post.source,
            post.content,
            post.author,
            post.created_at,
            analysis.model_name,
            analysis.sentiment_label,
            analysis.confidence,
            analysis.emotion,
            analysis.emotion_confidence,
            analysis.model_version,
            analysis.emotion_model_name or None,
            analysis.emotion_model_version or None,
        )
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    with database_errors():
        rows = await pool.fetch(_INSERT, *columns, analysed_at)
    new = {row["post_id"] for row in rows}
    stored = []
    for post, analysis in posts:
        if post.post_id in new:
            new.discard(post.post_id)
            stored.append(AnalysedPost(post=post, analysis=analysis, analysed_at=analysed_at))
    return stored
