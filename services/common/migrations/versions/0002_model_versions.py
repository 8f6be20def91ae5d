"""Analyses name the version of their models."""

from alembic import op

revision = "0002"
down_revision = "0001"

COLUMNS = {
    # 0 and NULL: analysed before versions were recorded.
    "model_version": "integer NOT NULL DEFAULT 0",
    "emotion_model_name": "varchar(100)",
    "emotion_model_version": "integer",
}


def upgrade() -> None:
    # No row is written: a constant default is kept in the catalogue.
    added = ", ".join(f"ADD COLUMN {name} {kind}" for name, kind in COLUMNS.items())
    op.execute(f"ALTER TABLE sentiment_analysis {added}")


def downgrade() -> None:
    op.execute(f"ALTER TABLE sentiment_analysis {', '.join(f'DROP COLUMN {name}' for name in COLUMNS)}")
