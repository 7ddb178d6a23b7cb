"""Lines with sentence ends of all kinds, for Hypothesis."""

from hypothesis import strategies as st

PARTS = [
    ".", "!", "?", "...", "…", "。", "।", "॥", "།", "་", "۔", "።", "፡", "፡፡", "::", ":", ";", "\u037e", "։",
    " ", "  ", "\t", "\xa0", "\u3000", "\u2003", "\u200e", "\u200b", "\ufeff", "\u0301", ")", "”", "“", "„", "*", "(",
    "word", "3.14", "7", "é", "Այո", "ա", "αβ", "ቃል", "ቃ", "字", "ก", "ไทยไม่มีช่องว่าง", "ก" * 23, "ກ" * 24, "x" * 90,
    "word, " * 6, "word word 7", "字" * 12, "." * 63, "。" * 64, "." * 65,
]  # fmt: skip
SENTENCES = st.lists(st.sampled_from(PARTS), max_size=8).map("".join)
