"""Runs of characters, of which scanners are made: each function takes a place and returns the end of a run.

ASCII letters are tested eight at a time: most English words end in one test, where a loop over bytes ends in a
mispredicted branch.
"""

import numpy as np

from gristmill.pipelines.kernels.hashing import U64
from gristmill.pipelines.kernels.intrinsics import inline_kernel, load_u64, trailing_zeros
from gristmill.tokenizers_lab.pretokenize.classes import LETTER, LOWER, NEWLINE, NUMBER, SPACE, UPPER, kind_at

HIGH = U64(0x8080808080808080)
LOW = U64(0x7F7F7F7F7F7F7F7F)
CASE = U64(0x2020202020202020)
FROM_A = U64(0x1F1F1F1F1F1F1F1F)  # 0x80 - "a": its sum with a byte from "a" on has the high bit
PAST_Z = U64(0x0505050505050505)  # 0x80 - "{"
LINE_FEED, RETURN, BLANK, APOSTROPHE = 10, 13, 32, 39

LETTERS = 1 << LOWER | 1 << UPPER | 1 << LETTER
SPACES = 1 << SPACE | 1 << NEWLINE
WORDS = LETTERS | 1 << NUMBER | SPACES  # the complement of [^\s\p{L}\p{N}]


@inline_kernel
def is_in(kind, kinds):
    """True if a class is in a set of classes, given as bits."""
    return kinds >> kind & 1 != 0


@inline_kernel
def ascii_letters(word):
    """Return how many of the lowest of 8 bytes are ASCII letters before the first other byte."""
    low = (word | CASE) & LOW
    letters = (low + FROM_A) & ~(low + PAST_Z) & ~word & HIGH
    return trailing_zeros(letters ^ HIGH) >> 3


@inline_kernel
def run_of(kinds, data, at, stop):
    """Return the end of the run of characters whose class is in ``kinds``; ``at`` if it is empty."""
    while at < stop:
        kind, end = kind_at(data, at, stop)
        if not is_in(kind, kinds):
            break
        at = end
    return at


@inline_kernel
def letters(data, at, stop):
    """Return the end of ``\\p{L}*`` from ``at``."""
    while at + 8 <= stop:
        count = ascii_letters(load_u64(data, at))
        at += count
        if count < 8:
            if data[at] < 0x80:
                return at
            end = run_of(LETTERS, data, at, stop)
            if end == at:
                return at
            at = end
    return run_of(LETTERS, data, at, stop)


@inline_kernel
def up_to(count, data, at, stop):
    """Return the end of ``\\p{N}{0,count}``; a count of 0 is no limit."""
    taken = 0
    while at < stop:
        kind, end = kind_at(data, at, stop)
        if kind != NUMBER:
            break
        at = end
        taken += 1
        if taken == count:
            break
    return at


@inline_kernel
def newlines(data, at, stop, slash):
    """Return the end of ``[\\r\\n]*``, or of ``[\\r\\n/]*``."""
    while at < stop and (data[at] == LINE_FEED or data[at] == RETURN or (slash and data[at] == 47)):
        at += 1
    return at


@inline_kernel
def spaces(data, at, stop):
    """Return the end of ``\\s*`` from ``at``, where its last character begins, and its last newline's end or -1."""
    last, newline = at, -1
    while at < stop:
        kind, end = kind_at(data, at, stop)
        if not is_in(kind, SPACES):
            break
        if kind == NEWLINE:
            newline = end
        last, at = at, end
    return at, last, newline


@inline_kernel
def space_piece(data, at, stop, by_line, whole_end):
    """Return the end of the white-space pre-token that begins at ``at``.

    It matches ``\\s+(?!\\S)|\\s+``: all of the run at the end of the document; else the run except its last character,
    which the next word may take; else that character. ``by_line`` tries ``\\s*[\\r\\n]+`` first, and ``whole_end``
    tries ``\\s+$`` before both. A long run may be read twice, never more.
    """
    end, last, newline = spaces(data, at, stop)
    if by_line and newline >= 0 and not (whole_end and end == stop):
        return newline
    return last if end < stop and last > at else end


@inline_kernel
def contraction(data, at, stop, any_case):
    """Return the end of ``'s|'t|'re|'ve|'m|'ll|'d`` from ``at``, or -1. In any case ``ſ``, the long s, counts as s."""
    if at + 1 >= stop or data[at] != APOSTROPHE:
        return -1
    first = data[at + 1]
    second = data[at + 2] if at + 2 < stop else np.uint8(0)
    if any_case:
        if first == 0xC5 and second == 0xBF:
            return at + 3
        first |= np.uint8(0x20) if 65 <= first <= 90 else np.uint8(0)
        second |= np.uint8(0x20) if 65 <= second <= 90 else np.uint8(0)
    if first == 115 or first == 116 or first == 109 or first == 100:  # s t m d
        return at + 2
    if (first == 114 or first == 118) and second == 101:  # re ve
        return at + 3
    return at + 3 if first == 108 and second == 108 else -1  # ll
