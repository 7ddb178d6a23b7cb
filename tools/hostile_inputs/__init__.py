"""Hostile inputs: 120 kinds of bad input, each cleaned beside good documents, with limits of time and memory."""
