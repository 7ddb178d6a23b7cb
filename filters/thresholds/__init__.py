"""Thresholds from data: confidence of a language, its stop words, cut-offs from the distribution of a measure."""
