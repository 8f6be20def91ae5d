"""Posts, analyses and their roll-ups into PostgreSQL: one statement a batch, harmless when it is repeated."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter

import asyncpg

from services.common.database import POSTGRESQL, database_errors, lacks_partition
from services.common.errors import Rejected, Transient
from services.common.messages import AnalysedPost, Analysis, Post
from services.common.partitions import create_partitions
from services.worker.journey import Journey, Passage, row

# Everything travels and commits as one. A post whose key is there already is in none of the later steps, so it changes
# nothing, and what comes back is exactly what is new. All times are now(), the transaction's: a post and the minute
# that counts it cannot disagree. Keys and roll-ups are locked in a fixed order, and each connection has (mostly)
# roll-ups of its own: workers block each other neither for long nor for ever.
_INSERT = """
WITH incoming AS (
    SELECT first_id_at(now()) | (nextval('social_media_posts_number') & 1048575) AS id, t.*
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],
                $8::real[], $9::text[], $10::real[], $11::int[], $12::text[], $13::int[], $14::bigint[], $15::int[],
                $16::bigint[])
           AS t (post_id, source, content, author, created_at, model_name, label, confidence,
                 emotion, emotion_confidence, model_version, emotion_model_name, emotion_model_version, queued_ms,
                 read_after_ms, batch_id)
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
            emotion_confidence, emotion_model_name, emotion_model_version, analyzed_at, read_after_ms, queued_at,
            batch_id)
    SELECT id, id, post_id, model_name, model_version, label, confidence, emotion,
           emotion_confidence, nullif(emotion_model_name, ''), nullif(emotion_model_version, 0), $17::timestamptz,
           read_after_ms, to_timestamp(queued_ms / 1000.0::float8), batch_id
    FROM fresh
), passages AS (
    INSERT INTO analysis_batches
           (id, worker, posts, tokenized_at, sentiment_at, emotion_at, tokenize_ms, sentiment_ms, emotion_ms,
            sentiment_queue_ms, sentiment_compute_ms, emotion_queue_ms, emotion_compute_ms,
            sentiment_requests, emotion_requests, stored_at)
    SELECT id, worker, posts, to_timestamp(tokenized_at), to_timestamp(sentiment_at), to_timestamp(emotion_at),
           tokenize_ms, sentiment_ms, emotion_ms, sentiment_queue_ms, sentiment_compute_ms, emotion_queue_ms,
           emotion_compute_ms, sentiment_requests, emotion_requests, clock_timestamp()
    FROM unnest($18::bigint[], $19::text[], $20::int[], $21::float8[], $22::float8[], $23::float8[], $24::real[],
                $25::real[], $26::real[], $27::real[], $28::real[], $29::real[], $30::real[], $31::int[], $32::int[])
         AS t (id, worker, posts, tokenized_at, sentiment_at, emotion_at, tokenize_ms, sentiment_ms, emotion_ms,
               sentiment_queue_ms, sentiment_compute_ms, emotion_queue_ms, emotion_compute_ms,
               sentiment_requests, emotion_requests)
    WHERE id IN (SELECT batch_id FROM fresh)
    ON CONFLICT DO NOTHING
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


_NOT_RECORDED = (None, None, None)
_PASSAGE_VALUES = 15


async def store(
    pool: asyncpg.Pool,
    posts: Sequence[tuple[Post, Analysis]],
    analysed_at: datetime,
    journeys: Sequence[Journey] | None = None,
) -> list[AnalysedPost]:
    """Stores the batch; what it returns are the posts that were not there before, each once, in their order.

    `journeys`: one a post, where they are recorded. Transient if PostgreSQL is away or not as it must be (nothing is
    stored then), Rejected if it refuses a value.
    """
    if not posts:
        return []
    once: dict[str, tuple[Post, Analysis, Journey | None]] = {}
    ways: Sequence[Journey | None] = journeys or [None] * len(posts)
    for (post, analysis), journey in zip(posts, ways, strict=True):
        once.setdefault(post.post_id, (post, analysis, journey))
    batch = once.values()
    columns = [*zip(*(_POST(post) for post, _, _ in batch), strict=True)]
    columns += zip(*(_ANALYSIS(analysis) for _, analysis, _ in batch), strict=True)
    columns += zip(*(_arrival(journey) for _, _, journey in batch), strict=True)
    passages = _passages(journey.passage for _, _, journey in batch if journey)
    try:
        with database_errors():
            rows = await _insert(pool, [*columns, analysed_at, *passages])
    except asyncpg.PostgresError as error:
        if (error.sqlstate or "").startswith(_LIMIT_EXCEEDED):
            raise Rejected(f"PostgreSQL: {error}") from error
        # A table that is missing, a right that was taken away: whatever it is, it is not the posts' fault. They wait
        # until somebody mends it, and the log says what.
        raise Transient(f"PostgreSQL: {error}", service=POSTGRESQL) from error
    new = {row[0] for row in rows}
    return [
        AnalysedPost(
            post=post, analysis=analysis, analysed_at=analysed_at, queued_ms=journey.queued_ms if journey else None
        )
        for post, analysis, journey in batch
        if post.post_id in new
    ]


def _arrival(journey: Journey | None) -> tuple[int | None, int | None, int | None]:
    return (journey.queued_ms, journey.read_after_ms, journey.passage.id) if journey else _NOT_RECORDED


def _passages(of_posts: Iterable[Passage]) -> list[Sequence[object]]:
    """Column by column, each passage once, however many posts went through it."""
    rows = [row(passage) for passage in {passage.id: passage for passage in of_posts}.values()]
    return list(zip(*rows, strict=True)) or [()] * _PASSAGE_VALUES


async def _insert(pool: asyncpg.Pool, arguments: Sequence[object]) -> list[asyncpg.Record]:
    try:
        return await pool.fetch(_INSERT, *arguments)
    except asyncpg.CheckViolationError as error:
        if not lacks_partition(error):
            raise
        # Nobody has prepared this day: the first start after a long rest, or a clock that was set.
        try:
            async with pool.acquire() as held:
                await create_partitions(held)
        except asyncpg.InsufficientPrivilegeError as refusal:
            raise Transient(
                "PostgreSQL has no partition for today, and only the keeper may make it: start"
                f" python -m services.worker.upkeep ({refusal})",
                service=POSTGRESQL,
            ) from refusal
        return await pool.fetch(_INSERT, *arguments)
