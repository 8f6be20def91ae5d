-- How a worker stored a batch before revision 0006: what the columns of 0006 must not disturb.
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
