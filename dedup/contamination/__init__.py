"""Contamination: items of evaluation sets that occur in the corpus."""
