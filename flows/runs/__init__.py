"""Views of a run: status, history of a document, other thresholds, duplicates."""
