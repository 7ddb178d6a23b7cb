"""Sentences, lines and paragraphs repeated across documents."""
