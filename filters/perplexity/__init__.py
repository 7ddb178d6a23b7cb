"""Filters on the perplexity of a language model, given or trained on the run's own text."""
