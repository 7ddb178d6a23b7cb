"""From raw files to the shards of ``documents/``; the demo corpus."""
