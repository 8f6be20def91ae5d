"""`undertone backfill`: archives of texts through both models, with Ray Data, into Parquet and PostgreSQL."""
