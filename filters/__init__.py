"""Filters that measure, drop or rewrite a document by its text alone. Imports only ``pipelines``."""
