"""Files, Parquet shards, manifests and retries; looking into a table."""
