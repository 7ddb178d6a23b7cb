"""Scanners over raw text that rules share: lines, sentence ends, letters, markup, phrases."""
