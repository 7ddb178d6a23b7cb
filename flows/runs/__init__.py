"""Looking at a finished run: status, history of a document, other thresholds, duplicates."""
