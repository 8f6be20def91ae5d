"""Posts that were deleted by whoever wrote them: their ids for a while, and the function that takes a post out again.

Why: a source that passes deletions on, and a person who asks for one, get the text and the author out of every table
and every count; and a post that is still on its way, or is sent again, must not come back.

The key of a deleted post stays, with the id 0, so that the statement which stores posts, also that of the version
before, finds it there and stores nothing. `deleted_posts` says since when; upkeep forgets both after a while.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

TABLES = (
    """
    CREATE TABLE deleted_posts (
        post_id varchar(255) COLLATE "C" PRIMARY KEY,
        deleted_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX deleted_posts_deleted_at ON deleted_posts (deleted_at)",
)
# With the rights of its owner: workers and API may delete posts by their ids, and change nothing else that is stored.
#
# Minutes are corrected by what is taken away, not counted again: others are adding to them. Of the rows of a minute
# that were there, one gets what is left. Its times of writing are looked up where the post that goes was the first or
# the last. Nobody adds to closed buckets, so those are derived again: from minutes, because after an upgrade there may
# be hours before there are ten minutes.
FUNCTION = """
    CREATE FUNCTION delete_posts(given text[]) RETURNS SETOF text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        progress rollup_progress;
        row_ids bigint[];
        touched timestamptz[];
        buckets timestamptz[];
        lost record;
        kept record;
        level record;
        first_written timestamptz;
        last_written timestamptz;
    BEGIN
        -- One at a time, and nobody who closes or drops buckets meanwhile.
        SELECT * INTO STRICT progress FROM rollup_progress FOR UPDATE;
        -- By the clock, not the transaction's time, which began before the wait: later ones are later.
        INSERT INTO deleted_posts (post_id, deleted_at)
        SELECT post_id, clock_timestamp() FROM (SELECT DISTINCT unnest(given) AS post_id) AS ids
            ON CONFLICT (post_id) DO UPDATE SET deleted_at = excluded.deleted_at;
        -- Waits for whoever is storing one of the posts, and locks each key, in the order of those who store.
        WITH locked AS (
            INSERT INTO social_media_post_keys AS known (post_id, id)
            SELECT DISTINCT post_id COLLATE "C", 0 FROM unnest(given) AS post_id ORDER BY 1
            ON CONFLICT (post_id) DO UPDATE SET id = known.id
            RETURNING known.id
        )
        SELECT coalesce(array_agg(id) FILTER (WHERE id <> 0), '{}') INTO row_ids FROM locked;
        IF row_ids = '{}' THEN
            RETURN;
        END IF;
        UPDATE social_media_post_keys SET id = 0 WHERE post_id = ANY (given);
        touched := ARRAY(
            SELECT DISTINCT date_trunc('minute', ingested_at, 'UTC') FROM social_media_posts WHERE id = ANY (row_ids));

        FOR lost IN
            SELECT date_trunc('minute', p.ingested_at, 'UTC') AS minute, p.source, a.sentiment_label AS label,
                   count(*) AS posts, sum(a.confidence_score::double precision) AS confidence_sum,
                   min(p.created_at) AS first_written, max(p.created_at) AS last_written
              FROM social_media_posts p JOIN sentiment_analysis a ON a.post_row_id = p.id AND a.is_current
               AND a.post_row_id = ANY (row_ids)
             WHERE p.id = ANY (row_ids) GROUP BY 1, 2, 3 ORDER BY 2, 3, 1
        LOOP
            SELECT array_agg(writer) AS writers, sum(posts) - lost.posts AS posts,
                   sum(confidence_sum) - lost.confidence_sum AS confidence_sum,
                   min(created_from) AS created_from, max(created_to) AS created_to
              INTO kept
              FROM (SELECT * FROM sentiment_minutes
                     WHERE minute = lost.minute AND source = lost.source AND sentiment_label = lost.label
                     ORDER BY writer FOR UPDATE) AS held;
            IF kept.posts > 0 THEN
                first_written := kept.created_from;
                last_written := kept.created_to;
                IF lost.first_written <= first_written OR lost.last_written >= last_written THEN
                    SELECT min(p.created_at), max(p.created_at) INTO first_written, last_written
                      FROM social_media_posts p JOIN sentiment_analysis a ON a.post_row_id = p.id AND a.is_current
                       AND a.post_row_id >= first_id_at(lost.minute)
                       AND a.post_row_id < first_id_at(lost.minute + interval '1 minute')
                     WHERE p.id >= first_id_at(lost.minute) AND p.id < first_id_at(lost.minute + interval '1 minute')
                       AND p.source = lost.source AND a.sentiment_label = lost.label AND p.id <> ALL (row_ids);
                END IF;
                UPDATE sentiment_minutes
                   SET posts = kept.posts, confidence_sum = kept.confidence_sum,
                       created_from = first_written, created_to = last_written
                 WHERE minute = lost.minute AND source = lost.source AND sentiment_label = lost.label
                   AND writer = kept.writers[1];
                kept.writers := kept.writers[2:];
            END IF;
            DELETE FROM sentiment_minutes
             WHERE minute = lost.minute AND source = lost.source AND sentiment_label = lost.label
               AND writer = ANY (kept.writers);
        END LOOP;

        FOR lost IN
            SELECT date_trunc('minute', p.ingested_at, 'UTC') AS minute, p.source, a.sentiment_label AS label,
                   coalesce(a.emotion, '') AS emotion, count(*) AS posts
              FROM social_media_posts p JOIN sentiment_analysis a ON a.post_row_id = p.id AND a.is_current
               AND a.post_row_id = ANY (row_ids)
             WHERE p.id = ANY (row_ids) GROUP BY 1, 2, 3, 4 ORDER BY 2, 3, 4, 1
        LOOP
            SELECT array_agg(writer) AS writers, sum(posts) - lost.posts AS posts INTO kept
              FROM (SELECT * FROM emotion_minutes
                     WHERE minute = lost.minute AND source = lost.source AND sentiment_label = lost.label
                       AND emotion = lost.emotion
                     ORDER BY writer FOR UPDATE) AS held;
            IF kept.posts > 0 THEN
                UPDATE emotion_minutes SET posts = kept.posts
                 WHERE minute = lost.minute AND source = lost.source AND sentiment_label = lost.label
                   AND emotion = lost.emotion AND writer = kept.writers[1];
                kept.writers := kept.writers[2:];
            END IF;
            DELETE FROM emotion_minutes
             WHERE minute = lost.minute AND source = lost.source AND sentiment_label = lost.label
               AND emotion = lost.emotion AND writer = ANY (kept.writers);
        END LOOP;

        FOR level IN
            SELECT * FROM (VALUES ('ten_minute', interval '10 minutes', progress.ten_minutes_before, 'minute'),
                                  ('hour', interval '1 hour', progress.hours_before, 'minute'),
                                  ('day', interval '1 day', progress.days_before, 'hour'))
                       AS levels (name, width, closed_before, part)
        LOOP
            buckets := ARRAY(
                SELECT DISTINCT date_bin(level.width, moment, 'epoch') FROM unnest(touched) AS moment
                 WHERE date_bin(level.width, moment, 'epoch') < level.closed_before);
            EXECUTE format('DELETE FROM sentiment_%1$ss WHERE %1$s = ANY ($1)', level.name) USING buckets;
            EXECUTE format('DELETE FROM emotion_%1$ss WHERE %1$s = ANY ($1)', level.name) USING buckets;
            EXECUTE format($derive$
                INSERT INTO sentiment_%1$ss (
                    %1$s, source, sentiment_label, posts, confidence_sum, created_from, created_to)
                SELECT bucket, source, sentiment_label, sum(posts), sum(confidence_sum), min(created_from),
                       max(created_to)
                  FROM unnest($1) AS bucket JOIN sentiment_%2$ss ON %2$s >= bucket AND %2$s < bucket + $2
                 GROUP BY 1, 2, 3
                $derive$, level.name, level.part) USING buckets, level.width;
            EXECUTE format($derive$
                INSERT INTO emotion_%1$ss (%1$s, source, sentiment_label, emotion, posts)
                SELECT bucket, source, sentiment_label, emotion, sum(posts)
                  FROM unnest($1) AS bucket JOIN emotion_%2$ss ON %2$s >= bucket AND %2$s < bucket + $2
                 GROUP BY 1, 2, 3, 4
                $derive$, level.name, level.part) USING buckets, level.width;
        END LOOP;

        DELETE FROM sentiment_analysis WHERE post_row_id = ANY (row_ids);
        RETURN QUERY DELETE FROM social_media_posts WHERE id = ANY (row_ids) RETURNING post_id::text;
    END $$
"""
# A function is everybody's unless somebody says otherwise; whose it is instead says grants.py.
REVOKE = """
    -- Nobody has used it before: it is made right above.
    -- squawk-ignore ban-revoke
    REVOKE EXECUTE ON FUNCTION delete_posts(text[]) FROM PUBLIC
"""


def upgrade() -> None:
    for statement in (*TABLES, FUNCTION, REVOKE):
        op.execute(statement)


def downgrade() -> None:
    """The keys of deleted posts stay with the id 0: the posts are not stored again."""
    op.execute("DROP FUNCTION delete_posts(text[])")
    op.execute("DROP TABLE deleted_posts")
