"""Files of posts: Parquet, CSV, TSV and JSON Lines, packed or not, as posts and refusals."""
