"""Duplicates with equal normalized text."""
