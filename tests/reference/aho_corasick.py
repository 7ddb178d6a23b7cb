"""Searching for terms one by one, in plain Python."""

from gristmill.filters.text.aho_corasick import BACK, FRONT, boundary_flags
from gristmill.pipelines.kernels.utf8 import (
    DIGIT,
    HANGUL,
    LETTER,
    LOWER,
    MARK,
    NUMBER,
    SPACE,
    UPPER,
    character_class,
    lower,
)


def fold(text: str) -> str:
    """Lower case, every run of white space one space (ends are not trimmed)."""
    out = ""
    for char in text:
        char = " " if character_class(ord(char)) == SPACE else chr(lower(ord(char)))
        if not (char == " " and out.endswith(" ")):
            out += char
    return out


def is_wordy(char: str) -> bool:
    return char == "_" or character_class(ord(char)) in (LOWER, UPPER, LETTER, MARK, DIGIT, NUMBER, HANGUL)


def search(text: str, terms: list[str]) -> tuple[int, int]:
    """Occurrences, overlapping ones too, and how many different terms they are of."""
    text, counts = fold(text), dict.fromkeys(terms, 0)
    for term in terms:
        at = text.find(term)
        while at >= 0:
            after, guard = at + len(term), boundary_flags(term)
            inside = (guard & FRONT and at and is_wordy(text[at - 1])) or (
                guard & BACK and after < len(text) and is_wordy(text[after])
            )
            counts[term] += not inside
            at = text.find(term, at + 1)
    return sum(counts.values()), sum(count > 0 for count in counts.values())
