"""Overlap between the sources of a corpus."""
