"""Tokenizers in the formats of other libraries, and from them."""
