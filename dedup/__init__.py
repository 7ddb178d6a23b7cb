"""Deduplication over the whole corpus: documents, passages, substrings, sources, evaluation sets. Imports pipelines."""
