"""Counts of the corpus's pre-tokens."""
