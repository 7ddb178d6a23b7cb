"""Slow twin of dedup/exact/normalize.py."""

import re

# White_Space=Yes of Unicode 16.0 PropList.txt
WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


def normalize(text: bytes, lowercase: bool) -> bytes:
    decoded = text.decode("utf-8", "surrogateescape")
    decoded = re.sub(f"[{WHITE}]+", " ", decoded).strip(" ")
    if lowercase:
        decoded = "".join(c.lower() if c.isascii() else c for c in decoded)
    return decoded.encode("utf-8", "surrogateescape")
