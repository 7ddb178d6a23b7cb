"""Normalizers: Unicode forms, lower case, SentencePiece's precompiled charsmaps."""
