"""Posts, analyses and their roll-ups into PostgreSQL: one statement a batch, harmless when it is repeated."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter

import asyncpg

from services.common.database import database_errors, lacks_partition
from services.common.errors import Rejected, Transient
from services.common.messages import AnalysedPost, Analysis, Post
from services.common.partitions import create_partitions

# Everything travels and commits as one. A post whose key is there already is in none of the later steps, so it changes
# nothing, and what comes back is exactly what is new. All times are now(), the transaction's: a post and the minute
# that counts it cannot disagree. Keys and roll-ups are locked in a fixed order, and each connection has (mostly)
# roll-ups of its own: workers block each other neither for long nor for ever.
_INSERT = """
WITH incoming AS (
    SELECT first_id_at(now()) | (nextval('social_media_posts_number') & 1048575) AS id, t.*
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],
                $8::real[], $9::text[], $10::real[], $11::int[], $12::text[], $13::int[])
           AS t (post_id, source, content, author, created_at, model_name, label, confidence,
                 emotion, emotion_confidence, model_version, emotion_model_name, emotion_model_version)
), new_keys AS (
    INSERT INTO social_media_post_keys (post_id, id) SELECT post_id, id FROM incoming ORDER BY post_id COLLATE "C"
    ON CONFLICT DO NOTHING
    RETURNING post_id
), fresh AS MATERIALIZED (
    SELECT incoming.* FROM incoming JOIN new_keys USING (post_id)
), stored AS (
    INSERT INTO social_media_posts (id, post_id, source, content, author, created_at, ingested_at)
    SELECT id, post_id, source, content, author, created_at, now() FROM fresh
), analysed AS (
    INSERT INTO sentiment_analysis
           (id, post_row_id, post_id, model_name, model_version, sentiment_label, confidence_score, emotion,
            emotion_confidence, emotion_model_name, emotion_model_version, analyzed_at)
    SELECT id, id, post_id, model_name, model_version, label, confidence, emotion,
           emotion_confidence, nullif(emotion_model_name, ''), nullif(emotion_model_version, 0), $14::timestamptz
    FROM fresh
), sentiments AS (
    INSERT INTO sentiment_minutes AS m
           (minute, source, sentiment_label, writer, posts, confidence_sum, created_from, created_to)
    SELECT date_trunc('minute', now(), 'UTC'), source, label, pg_backend_pid() % 8, count(*),
           sum(confidence::double precision), min(created_at), max(created_at)
    FROM fresh GROUP BY source, label ORDER BY source, label
    ON CONFLICT (minute, source, sentiment_label, writer) DO UPDATE
       SET posts = m.posts + excluded.posts, confidence_sum = m.confidence_sum + excluded.confidence_sum,
           created_from = least(m.created_from, excluded.created_from),
           created_to = greatest(m.created_to, excluded.created_to)
), emotions AS (
    INSERT INTO emotion_minutes AS m (minute, source, sentiment_label, emotion, writer, posts)
    SELECT date_trunc('minute', now(), 'UTC'), source, label, coalesce(emotion, ''), pg_backend_pid() % 8, count(*)
    FROM fresh GROUP BY source, label, coalesce(emotion, '') ORDER BY source, label, coalesce(emotion, '')
    ON CONFLICT (minute, source, sentiment_label, emotion, writer) DO UPDATE SET posts = m.posts + excluded.posts
)
SELECT post_id FROM fresh
"""
# SQLSTATE: something in the data is larger than PostgreSQL can handle.
_LIMIT_EXCEEDED = "54"
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


async def store(
    pool: asyncpg.Pool, posts: Sequence[tuple[Post, Analysis]], analysed_at: datetime
) -> list[AnalysedPost]:
    """Stores the batch; what it returns are the posts that were not there before, each once, in their order.

    Transient if PostgreSQL is away or not as it must be (nothing is stored then), Rejected if it refuses a value.
    """
    if not posts:
        return []
    once: dict[str, tuple[Post, Analysis]] = {}
    for post, analysis in posts:
        once.setdefault(post.post_id, (post, analysis))
    batch = once.values()
    columns = [*zip(*(_POST(post) for post, _ in batch), strict=True)]
    columns += zip(*(_ANALYSIS(analysis) for _, analysis in batch), strict=True)
    try:
        with database_errors():
            rows = await _insert(pool, columns, analysed_at)
    except asyncpg.PostgresError as error:
        if (error.sqlstate or "").startswith(_LIMIT_EXCEEDED):
            raise Rejected(f"PostgreSQL: {error}") from error
        # A table that is missing, a right that was taken away: whatever it is, it is not the posts' fault. They wait
        # until somebody mends it, and the log says what.
        raise Transient(f"PostgreSQL: {error}", service="PostgreSQL") from error
    new = {row[0] for row in rows}
    return [
        AnalysedPost(post=post, analysis=analysis, analysed_at=analysed_at)
        for post, analysis in batch
        if post.post_id in new
    ]


async def _insert(
    pool: asyncpg.Pool, columns: Sequence[Sequence[object]], analysed_at: datetime
) -> list[asyncpg.Record]:
    try:
        return await pool.fetch(_INSERT, *columns, analysed_at)
    except asyncpg.CheckViolationError as error:
        if not lacks_partition(error):
            raise
        # Nobody has prepared this day: the first start after a long rest, or a clock that was set.
        async with pool.acquire() as held:
            await create_partitions(held)
        return await pool.fetch(_INSERT, *columns, analysed_at)
