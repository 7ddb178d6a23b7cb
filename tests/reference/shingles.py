"""Shingles as sets of tuples: the twin of dedup/near/shingles.py and dedup/near/marks.py."""

import re

import unicodedata2 as unicode

SPACELESS = ("CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


def fold(character: str) -> str:
    """Lower case as one character; both small sigmas are one."""
    return character.lower()[0].replace("ς", "σ")


def is_letter(character: str) -> bool:
    return character == "_" or unicode.category(character)[0] in "LN"


def is_spaceless(text: str) -> bool:
    letters = [c for c in text if is_letter(c)]
    spaceless = [
        c for c in letters if unicode.category(c) in ("Lo", "Lm") and unicode.name(c, "").startswith(SPACELESS)
    ]
    return len(spaceless) > len(letters) - len(spaceless)


def shingles(text: str, words: int = 5, characters: int = 8) -> set[tuple]:
    """Runs of consecutive tokens; a shorter text is one run."""
    if is_spaceless(text):
        tokens, size = [fold(c) for c in text], characters
    else:
        letters = "".join(fold(c) if is_letter(c) else " " for c in text)
        tokens, size = re.findall("[^ ]+", letters), words
    if not tokens:
        return set()
    return {tuple(tokens[i : i + size]) for i in range(max(len(tokens) - size + 1, 1))}


def is_mark(character: str) -> bool:
    return unicode.category(character)[0] in "PS" and character != "_"


def symbol_share(text: str) -> float:
    """Share of symbols among letters, digits and marks; 0 for scripts without spaces, which shingles see whole."""
    counted = [c for c in text if is_letter(c) or is_mark(c)]
    symbols = [c for c in counted if is_mark(c) and (c.isascii() or unicode.category(c)[0] == "S")]
    return len(symbols) / len(counted) if counted and not is_spaceless(text) else 0.0


def marked_shingles(text: str, words: int = 5) -> set[tuple]:
    """Runs of words and marks, each mark a token; none of text with few symbols."""
    if symbol_share(text) < 0.05:
        return set()
    spread = "".join(fold(c) if is_letter(c) else f" {c} " if is_mark(c) else " " for c in text)
    tokens = spread.split(" ")
    tokens = [token for token in tokens if token]
    return {tuple(tokens[i : i + words]) for i in range(max(len(tokens) - words + 1, 1))}
