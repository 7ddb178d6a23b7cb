"""Filters: measures, decisions and rewrites of single documents (quality, language, perplexity, keywords, PII)."""
