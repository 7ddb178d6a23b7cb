"""Perplexity, generation, the n-gram baseline."""
