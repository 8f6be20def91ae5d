"""Roll-ups of ten minutes between the minutes and the hours.

Why: a window of time ends within an hour at both sides, and up to 59 minutes there are most of what a count reads: with
many posts, a row for each source, label and emotion of every minute. Of ten minutes it is five, and nine minutes.

What was stored before is derived by the next round of upkeep; until then it is read from the minutes, as it was.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = (
    """
    CREATE TABLE sentiment_ten_minutes (
        ten_minute timestamptz NOT NULL, source varchar(50) NOT NULL, sentiment_label varchar(20) NOT NULL,
        posts bigint NOT NULL, confidence_sum double precision NOT NULL,
        created_from timestamptz NOT NULL, created_to timestamptz NOT NULL,
        PRIMARY KEY (ten_minute, source, sentiment_label)
    )
    """,
    """
    CREATE TABLE emotion_ten_minutes (
        ten_minute timestamptz NOT NULL, source varchar(50) NOT NULL, sentiment_label varchar(20) NOT NULL,
        emotion varchar(50) NOT NULL, posts bigint NOT NULL,
        PRIMARY KEY (ten_minute, source, sentiment_label, emotion)
    )
    """,
    # Who does not know the column leaves it to its default.
    """
    -- squawk-ignore ban-new-write-restriction
    ALTER TABLE rollup_progress ADD COLUMN ten_minutes_before timestamptz NOT NULL DEFAULT 'epoch'
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE rollup_progress DROP COLUMN ten_minutes_before")
    op.execute("DROP TABLE sentiment_ten_minutes, emotion_ten_minutes")
