"""Exact substrings repeated across documents."""
