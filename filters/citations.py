"""Citation marks of encyclopaedias: [3], [edit], [citation needed]."""

import numpy as np
from numba import njit

from filters.marks import NONE, mark_kind
from pipelines.utf8 import decode

WORDS = np.frombuffer(b"edit]citation needed]", np.uint8)
EDIT = len(b"edit]")


@njit(nogil=True, cache=True)
def find_citations(data, start, end, brackets):
    """Lines, and how many "[" to look at in each -> starts and lengths of their citations."""
    most = brackets.sum()
    at, length = np.empty(most, np.int64), np.empty(most, np.int64)
    found = 0
    for j in range(start.size):
        behind = start[j]  # where the last citation ended: another may follow it
        for k in range(start[j], end[j] if brackets[j] else start[j]):
            if data[k] != 0x5B:
                continue
            numbered = k > start[j] and (k == behind or follows_mark(data, start[j], k))
            size = citation_length(data, k, end[j], numbered)
            if size:
                at[found], length[found] = k, size
                found += 1
                behind = k + size
    return at[:found].copy(), length[:found].copy()


@njit(nogil=True, cache=True)
def citation_length(data, at, end, numbered):
    """Bytes of the citation that opens at ``at``, 0 for none; [1] to [999] are some only if ``numbered``."""
    k = at + 1
    while k < end and 0x30 <= data[k] <= 0x39:
        k += 1
    if k > at + 1:
        return k + 1 - at if numbered and k - at <= 4 and k < end and data[k] == 0x5D else 0
    for word in (WORDS[:EDIT], WORDS[EDIT:]):
        if end - k >= word.size and (data[k : k + word.size] == word).all():
            return word.size + 1
    return 0


@njit(nogil=True, cache=True)
def follows_mark(data, start, at):
    """Is the character before ``at`` one that a citation stands behind: a comma, a terminal or closing mark?"""
    last = at - 1
    while last > start and data[last] & 0xC0 == 0x80:
        last -= 1
    code, size = decode(data, last, at)
    if size != at - last or code == 0x5D or code == 0x60 or code == 0x2A or code == 0x5F:  # ] ` * _ are code
        return False
    kind = mark_kind(code)
    return kind != NONE or code == 0x2C or code == 0x3B or code == 0x3A or code == 0x3001 or code == 0xFF0C
