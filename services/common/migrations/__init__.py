"""The database's schema, as numbered Alembic revisions in `versions/`."""
