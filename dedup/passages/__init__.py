"""Sentences, lines and paragraphs that are repeated across documents."""
