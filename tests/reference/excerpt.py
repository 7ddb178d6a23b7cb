"""What a language model reads of a text, in plain Python."""

import unicodedata

from gristmill.pipelines.kernels.utf8 import LOWER, UPPER, character_class, lower


def excerpt(text: str, max_bytes: int | None, slices: int = 4) -> str:
    data = text.encode()
    if max_bytes is not None and len(data) > max_bytes:
        width = max_bytes // slices
        starts = [(len(data) - width) * piece // (slices - 1) for piece in range(slices)]
        # A piece keeps the characters that lie in it whole.
        text = "\n".join(data[start : start + width].decode(errors="ignore") for start in starts)
    kinds = {character_class(ord(char)) for char in text}
    if UPPER in kinds and LOWER not in kinds:
        text = "".join(chr(lower(ord(char))) for char in text)
    return unicodedata.normalize("NFC", text)
