"""Exact substrings that are repeated across documents."""
