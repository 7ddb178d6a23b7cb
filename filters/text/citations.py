"""Citation marks of encyclopedias: [3], [edit], [citation needed]."""

import numpy as np

from gristmill.filters.text.sentence_ends import is_one_of, mark_kind
from gristmill.filters.text.sentence_kinds import CLOSER, TERMINAL
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.kernels.utf8 import decode

WORDS = np.frombuffer(b"edit]citation needed]", np.uint8)
EDIT = len(b"edit]")
BEFORE_INDEX = np.array([ord(mark) for mark in ")]}>`*_"])  # closing marks before an array index
PAUSES = np.array([ord(mark) for mark in ",;:、，"])


def find_citations(data: np.ndarray, start: np.ndarray, end: np.ndarray, brackets: np.ndarray):
    """Return starts and lengths of the citations in lines; lines with 0 ``brackets`` are skipped."""
    at, length = np.empty(brackets.sum(), np.int64), np.empty(brackets.sum(), np.int64)
    found = _find(data, start, end, brackets, at, length)
    return at[:found], length[:found]


@kernel
def _find(data, start, end, brackets, at, length):
    found = 0
    for j in range(start.size):
        behind = -1  # end of the last citation: another may follow it
        for k in range(start[j], end[j] if brackets[j] else start[j]):
            if data[k] != 0x5B:
                continue
            numbered = k > start[j] and (k == behind or follows_mark(data, start[j], k))
            size = citation_length(data, k, end[j], numbered)
            if size:
                at[found], length[found] = k, size
                found += 1
                behind = k + size
    return found


@kernel
def citation_length(data, at, end, numbered):
    """Return the bytes of the citation at ``at``, 0 if there is none; [1] to [999] count only if ``numbered``."""
    k = at + 1
    while k < end and 0x30 <= data[k] <= 0x39:
        k += 1
    if k > at + 1:
        return k + 1 - at if numbered and k - at <= 4 and k < end and data[k] == 0x5D else 0
    edit = _matches(data, k, end, 0, EDIT)
    return edit if edit else _matches(data, k, end, EDIT, WORDS.size)


@kernel
def _matches(data, at, end, first, last):
    """Return the bytes of a citation with ``WORDS[first:last]`` after its bracket; 0 for other text."""
    k = first
    while k < last and at < end and data[at] == WORDS[k]:
        at, k = at + 1, k + 1
    return last - first + 1 if k == last else 0


@kernel
def follows_mark(data, start, at):
    """True if a citation may follow the character before ``at``: a pause, a terminal or a closing mark."""
    last = at - 1
    while last > start and data[last] & 0xC0 == 0x80:
        last -= 1
    code, size = decode(data, last, at)
    if size != at - last or is_one_of(code, BEFORE_INDEX):
        return False
    return TERMINAL <= mark_kind(code) <= CLOSER or is_one_of(code, PAUSES)
