"""Plain twin of filters/text/sentence_ends.py, over str."""

import re

from gristmill.filters.text.sentence_ends import (
    KIND_OF,
    LONG_LINE,
    MAX_MARKS,
    REACH,
    SCRIPT_LETTERS,
    UNMARKED_LETTERS,
)
from gristmill.filters.text.sentence_kinds import BLANK, CLOSER, CONTEXT, NONE, SKIPPED, TERMINAL, WIDE_TERMINAL

BLANKS = " \t"


def kind(c: str) -> int:
    return int(KIND_OF[ord(c)])


def is_unmarked(c: str) -> bool:
    """Is a character of Thai or Lao?"""
    return "\u0e01" <= c <= "\u0eff"


def letters(line: str, start: int, at: int, first: str, last: str) -> int:
    return sum(first <= c <= last for c in line[max(start, at - REACH) : at])


def kind_at(line: str, start: int, at: int) -> int:
    """The kind of a character, where a mark of one script alone counts as terminal in that script."""
    c = line[at]
    if kind(c) != CONTEXT:
        return kind(c)
    doubled = c in (line[at + 1 : at + 2], line[at - 1] if at > start else "")
    armenian = c == ":" and letters(line, start, at, "\u0531", "\u058a") >= SCRIPT_LETTERS
    greek = c == ";" and letters(line, start, at, "\u0370", "\u03ff") >= SCRIPT_LETTERS
    ethiopic = c != ";" and doubled and letters(line, start, at, "\u1200", "\u135a") >= SCRIPT_LETTERS
    if armenian or greek or ethiopic:
        return TERMINAL if c < "\x80" else WIDE_TERMINAL
    return NONE


def ends_unmarked(line: str, start: int = 0) -> bool:
    """Does the text from start on, stripped, end with Thai or Lao, or a word behind it, and have enough of it?"""
    stop = len(line.rstrip(BLANKS))
    if stop <= start or not (is_unmarked(line[stop - 1]) or (line[stop - 1].isascii() and line[stop - 1].isalnum())):
        return False
    return letters(line, start, stop, "\u0e01", "\u0eff") >= UNMARKED_LETTERS


def ends_sentence(line: str) -> bool:
    """Does a line, stripped, end like a sentence?"""
    if ends_unmarked(line):
        return True
    stop = len(line)
    while stop and kind(line[stop - 1]) in (CLOSER, SKIPPED):
        stop -= 1
    return stop > 0 and kind_at(line, 0, stop - 1) in (TERMINAL, WIDE_TERMINAL) and not line[:stop].endswith("...")


def after_marks(line: str, start: int, at: int) -> int:
    """Where the marks at a place are over, if they begin with a terminal one and end a sentence, else 0."""
    ended = wide = False
    for stop in range(at, at + MAX_MARKS):
        found = kind_at(line, start, stop) if stop < len(line) else BLANK
        if found in (TERMINAL, WIDE_TERMINAL):
            ended, wide = True, wide or found == WIDE_TERMINAL
        elif not ended:
            return 0
        elif found not in (CLOSER, SKIPPED):
            return stop if wide or found == BLANK else 0
    return at + MAX_MARKS if wide else 0


def sentence_end(line: str, start: int, at: int) -> int:
    """Where a sentence from start on is over whose mark, or last letter in Thai and Lao, is at a place, else 0."""
    if is_unmarked(line[at]):
        enough = letters(line, start, at + 1, "\u0e01", "\u0eff") >= UNMARKED_LETTERS
        return at + 1 if enough and line[at + 1 : at + 2] in ("", " ") else 0
    over = 0
    while end := after_marks(line, start, at) if at < len(line) else 0:
        over, at = end, len(line) - len(line[end:].lstrip(" "))
        if at == over:
            break
    return over


def sentence_ends(line: str) -> list[int]:
    """Where the sentences of a line are over, their closing marks included."""
    ends, start = [], 0
    for at in range(len(line)):
        if at >= start and (end := sentence_end(line, start, at)):
            ends.append(end)
            start = end
    if ends_unmarked(line, start) or (not ends and is_long(line)):
        ends.append(len(line))
    return ends


def last_sentence_end(line: str) -> int:
    """Where the last sentence of a line is over, 0 if none is."""
    if ends_unmarked(line):
        return len(line)
    ends = (end for at in reversed(range(len(line))) if (end := sentence_end(line, 0, at)))
    return next(ends, len(line) if is_long(line) else 0)


def is_long(line: str) -> bool:
    """Does a line have so many words, or pairs of wide characters, that it counts as a sentence?"""
    words = sum(c.encode()[0] >= 0x80 or c.isalpha() for c in re.findall(r"(?:^|(?<=[\0- ]))[^\0- ]", line))
    wide = sum(byte >= 0xE3 and byte != 0xEF for byte in line.encode())
    return words + wide // 2 >= LONG_LINE
