"""Posts, their analyses, alerts."""

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = (
    """
    CREATE TABLE social_media_posts (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        post_id varchar(255) NOT NULL UNIQUE,
        source varchar(50) NOT NULL,
        content text NOT NULL,
        author varchar(255) NOT NULL DEFAULT '',
        created_at timestamptz NOT NULL,
        ingested_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    """
    CREATE TABLE sentiment_analysis (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        post_id varchar(255) NOT NULL REFERENCES social_media_posts (post_id) ON DELETE CASCADE,
        model_name varchar(100) NOT NULL,
        sentiment_label varchar(20) NOT NULL,
        confidence_score real NOT NULL CHECK (confidence_score BETWEEN 0 AND 1),
        emotion varchar(50),
        emotion_confidence real CHECK (emotion_confidence BETWEEN 0 AND 1),
        analyzed_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (post_id, model_name)
    )
    """,
    """
    CREATE TABLE sentiment_alerts (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        alert_type varchar(50) NOT NULL,
        threshold_value double precision NOT NULL,
        actual_value double precision NOT NULL,
        window_start timestamptz NOT NULL,
        window_end timestamptz NOT NULL,
        post_count integer NOT NULL,
        triggered_at timestamptz NOT NULL DEFAULT now(),
        resolved_at timestamptz,
        details jsonb NOT NULL DEFAULT '{}'
    )
    """,
    # A rule that is raised cannot be raised again, whoever evaluates it.
    "CREATE UNIQUE INDEX sentiment_alerts_raised ON sentiment_alerts (alert_type) WHERE resolved_at IS NULL",
    "CREATE INDEX sentiment_alerts_triggered_at ON sentiment_alerts (triggered_at DESC)",
    "CREATE INDEX social_media_posts_ingested_at ON social_media_posts (ingested_at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    for table in ("sentiment_alerts", "sentiment_analysis", "social_media_posts"):
        op.execute(f"DROP TABLE {table}")
