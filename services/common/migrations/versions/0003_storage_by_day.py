"""Posts and analyses by day, ids that tell the time, roll-ups by minute, hour and day.

Why: with millions of posts a count reads millions of rows, and deleting old ones costs more than storing new ones.
Roll-ups make every count a read of minutes, hours or days; a day that is too old is dropped whole.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

# An id is the millisecond of ingestion and 20 bits of a sequence: the order of ids is the order of arrival, and a range
# of time is a range of ids, so that one key serves paging, partitioning and windows of time.
IDS = (
    # Each session takes a thousand numbers at once: the time makes the order, the sequence only tells posts of one
    # millisecond apart.
    "CREATE SEQUENCE social_media_posts_number CACHE 1000",
    """
    CREATE FUNCTION first_id_at(moment timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN floor(extract(epoch FROM moment) * 1000)::bigint << 20
    """,
    """
    CREATE FUNCTION next_id_at(moment timestamptz) RETURNS bigint LANGUAGE sql VOLATILE STRICT
    RETURN (floor(extract(epoch FROM moment) * 1000)::bigint << 20) | (nextval('social_media_posts_number') & 1048575)
    """,
)
TABLES = (
    # The one place that sees a post_id twice: a unique key of a partitioned table would have to contain the time.
    # The id tells the key of a post that was dropped from that of the same post stored again.
    'CREATE TABLE social_media_post_keys (post_id varchar(255) COLLATE "C" PRIMARY KEY, id bigint NOT NULL)',
    """
    CREATE TABLE social_media_posts (
        id bigint NOT NULL DEFAULT next_id_at(now()) PRIMARY KEY,
        post_id varchar(255) NOT NULL,
        source varchar(50) NOT NULL,
        content text NOT NULL,
        author varchar(255) NOT NULL DEFAULT '',
        created_at timestamptz NOT NULL,
        ingested_at timestamptz NOT NULL DEFAULT now()
    ) PARTITION BY RANGE (id)
    """,
    "CREATE INDEX social_media_posts_source ON social_media_posts (source, id)",
    # `post_row_id` is the post's id, so that both tables are cut at the same places. No foreign key: it would fire a
    # trigger for each row, and a post and its analysis are written by one statement and dropped by one transaction.
    # Of several analyses of a post, by different models, one is current: the one that the roll-ups count. Whoever adds
    # another moves both.
    """
    CREATE TABLE sentiment_analysis (
        id bigint NOT NULL DEFAULT next_id_at(now()),
        post_row_id bigint NOT NULL,
        post_id varchar(255) NOT NULL,
        model_name varchar(100) NOT NULL,
        model_version integer NOT NULL DEFAULT 0,
        sentiment_label varchar(20) NOT NULL,
        confidence_score real NOT NULL CHECK (confidence_score BETWEEN 0 AND 1),
        emotion varchar(50),
        emotion_confidence real CHECK (emotion_confidence BETWEEN 0 AND 1),
        emotion_model_name varchar(100),
        emotion_model_version integer,
        analyzed_at timestamptz NOT NULL DEFAULT now(),
        is_current boolean NOT NULL DEFAULT true,
        PRIMARY KEY (post_row_id, model_name)
    ) PARTITION BY RANGE (post_row_id)
    """,
    "CREATE INDEX sentiment_analysis_emotion ON sentiment_analysis (lower(emotion), post_row_id)",
)
# Attached, not created in place: that takes no lock which readers or writers of the other days would wait for.
PARTITIONS = """
    CREATE FUNCTION create_post_partitions(day date) RETURNS boolean LANGUAGE plpgsql AS $$
    DECLARE
        first bigint := first_id_at(day::timestamp AT TIME ZONE 'UTC');
        beyond bigint := first_id_at((day + 1)::timestamp AT TIME ZONE 'UTC');
        suffix text := to_char(day, '_YYYYMMDD');
        parent text;
    BEGIN
        IF to_regclass('sentiment_analysis' || suffix) IS NOT NULL THEN
            RETURN false;
        END IF;
        -- One at a time, and with a look at what the others made; nobody who reads or writes posts waits for this lock.
        LOCK TABLE social_media_posts IN SHARE UPDATE EXCLUSIVE MODE;
        IF to_regclass('sentiment_analysis' || suffix) IS NOT NULL THEN
            RETURN false;
        END IF;
        FOREACH parent IN ARRAY ARRAY['social_media_posts', 'sentiment_analysis'] LOOP
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', parent || suffix, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                           parent, parent || suffix, first, beyond);
        END LOOP;
        RETURN true;
    END $$
"""
WIDTHS = ("minute", "hour", "day")


def rollups() -> list[str]:
    """Two kinds: a chart needs no emotions, and reads a seventh of the rows without them. Emotion '' is none.

    Minutes have a row for each writer, so that workers do not queue for the row of a busy minute; half of each page
    stays free for its new versions, which then need no new index entry. `created_from` and `created_to` tell which
    buckets a search by time of writing can skip.
    """
    statements = []
    for width in WIDTHS:
        writer = "writer smallint NOT NULL," if width == "minute" else ""
        key = ", writer" if width == "minute" else ""
        storage = "WITH (fillfactor = 50)" if width == "minute" else ""
        statements += [
            f"""
            CREATE TABLE sentiment_{width}s (
                {width} timestamptz NOT NULL, source varchar(50) NOT NULL, sentiment_label varchar(20) NOT NULL,
                {writer} posts bigint NOT NULL, confidence_sum double precision NOT NULL,
                created_from timestamptz NOT NULL, created_to timestamptz NOT NULL,
                PRIMARY KEY ({width}, source, sentiment_label{key})
            ) {storage}
            """,
            f"""
            CREATE TABLE emotion_{width}s (
                {width} timestamptz NOT NULL, source varchar(50) NOT NULL, sentiment_label varchar(20) NOT NULL,
                emotion varchar(50) NOT NULL, {writer} posts bigint NOT NULL,
                PRIMARY KEY ({width}, source, sentiment_label, emotion{key})
            ) {storage}
            """,
        ]
    return statements


# Hours and days that begin before these are complete; later ones are read from the smaller buckets.
PROGRESS = (
    """
    CREATE TABLE rollup_progress (
        hours_before timestamptz NOT NULL DEFAULT 'epoch',
        days_before timestamptz NOT NULL DEFAULT 'epoch'
    )
    """,
    "INSERT INTO rollup_progress DEFAULT VALUES",
)
# Where the old tables stand aside, the names of their keys with them.
ASIDE = (
    "ALTER TABLE social_media_posts RENAME TO old_posts",
    "ALTER TABLE sentiment_analysis RENAME TO old_analyses",
    "ALTER TABLE old_analyses DROP CONSTRAINT sentiment_analysis_post_id_fkey",
    "ALTER INDEX social_media_posts_pkey RENAME TO old_posts_pkey",
    "ALTER INDEX sentiment_analysis_pkey RENAME TO old_analyses_pkey",
)
CARRY_OVER = (
    """
    SELECT create_post_partitions(day) FROM (
        SELECT DISTINCT (ingested_at AT TIME ZONE 'UTC')::date FROM old_posts
        UNION SELECT (now() AT TIME ZONE 'UTC')::date + ahead FROM generate_series(0, 2) AS ahead
    ) AS days (day)
    """,
    # Posts of one millisecond keep their order.
    """
    CREATE TEMPORARY TABLE new_ids ON COMMIT DROP AS
    SELECT post_id, first_id_at(ingested_at) | (row_number() OVER (ORDER BY id) & 1048575) AS id FROM old_posts
    """,
    "INSERT INTO social_media_post_keys (post_id, id) SELECT post_id, id FROM new_ids",
    """
    INSERT INTO social_media_posts (id, post_id, source, content, author, created_at, ingested_at)
    SELECT n.id, o.post_id, o.source, o.content, o.author, o.created_at, o.ingested_at
      FROM old_posts o JOIN new_ids n USING (post_id) ORDER BY n.id
    """,
    # The newest analysis of a post is its current one.
    """
    INSERT INTO sentiment_analysis
           (id, post_row_id, post_id, model_name, model_version, sentiment_label, confidence_score, emotion,
            emotion_confidence, emotion_model_name, emotion_model_version, analyzed_at, is_current)
    SELECT a.id, n.id, a.post_id, a.model_name, a.model_version, a.sentiment_label, a.confidence_score, a.emotion,
           a.emotion_confidence, a.emotion_model_name, a.emotion_model_version, a.analyzed_at,
           a.id = max(a.id) OVER (PARTITION BY a.post_id)
      FROM old_analyses a JOIN new_ids n USING (post_id) ORDER BY n.id
    """,
    """
    CREATE TEMPORARY TABLE counted ON COMMIT DROP AS
    SELECT date_trunc('minute', p.ingested_at, 'UTC') AS minute, p.source, a.sentiment_label,
           coalesce(a.emotion, '') AS emotion, a.confidence_score::double precision AS confidence, p.created_at
      FROM social_media_posts p JOIN sentiment_analysis a ON a.post_row_id = p.id AND a.is_current
    """,
    """
    INSERT INTO sentiment_minutes
           (minute, source, sentiment_label, writer, posts, confidence_sum, created_from, created_to)
    SELECT minute, source, sentiment_label, 0, count(*), sum(confidence), min(created_at), max(created_at)
      FROM counted GROUP BY minute, source, sentiment_label
    """,
    """
    INSERT INTO emotion_minutes (minute, source, sentiment_label, emotion, writer, posts)
    SELECT minute, source, sentiment_label, emotion, 0, count(*)
      FROM counted GROUP BY minute, source, sentiment_label, emotion
    """,
    "DROP TABLE old_analyses, old_posts",
)


def upgrade() -> None:
    for statement in (*ASIDE, *IDS, *TABLES, PARTITIONS, *rollups(), *PROGRESS, *CARRY_OVER):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("the tables before this revision cannot hold ids that tell the time: restore a dump")
