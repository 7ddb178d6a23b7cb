"""Measures of one document, rules on them, and rewrites of its text. Imports only ``pipelines``."""
