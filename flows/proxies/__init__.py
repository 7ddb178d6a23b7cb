"""Proxy runs: small models on documents drawn from token shards, scored on held-out text."""
