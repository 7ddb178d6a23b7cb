"""Ingestion of raw files into the shards of ``documents/``; the demo corpus."""
