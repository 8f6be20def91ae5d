"""How each post came here: when it was queued and read, and what its batch went through.

Why: "how long does a post take, and where" was known of all posts together, by histograms, and of none by itself.

Posts that are analysed together share nearly all of it, so that is one row a batch; a post has only what is its own.
NULL, in rows of before and in those of a worker of the version before: not recorded.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

# The worker makes the id: as a post's it begins with the time, and it is the same however often a batch is stored.
# Of the database's clock is `stored_at`; of Redis's, `queued_at`; all others are the worker's.
_BATCHES = """
    CREATE TABLE analysis_batches (
        id bigint PRIMARY KEY,
        worker text NOT NULL,
        posts integer NOT NULL,
        tokenized_at timestamptz NOT NULL,
        sentiment_at timestamptz NOT NULL,
        emotion_at timestamptz NOT NULL,
        stored_at timestamptz NOT NULL,
        tokenize_ms real NOT NULL,
        sentiment_ms real NOT NULL,
        emotion_ms real NOT NULL,
        sentiment_queue_ms real,
        sentiment_compute_ms real,
        emotion_queue_ms real,
        emotion_compute_ms real,
        sentiment_requests smallint NOT NULL,
        emotion_requests smallint NOT NULL
    )
"""
# In this order: the number fits into what is padding before the eight bytes of a time.
COLUMNS = {"read_after_ms": "integer", "queued_at": "timestamptz", "batch_id": "bigint"}


def upgrade() -> None:
    op.execute(_BATCHES)
    added = ", ".join(f"ADD COLUMN {name} {kind}" for name, kind in COLUMNS.items())
    op.execute(f"ALTER TABLE sentiment_analysis {added}")


def downgrade() -> None:
    op.execute(f"ALTER TABLE sentiment_analysis {', '.join(f'DROP COLUMN {name}' for name in COLUMNS)}")
    op.execute("DROP TABLE analysis_batches")
