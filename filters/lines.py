"""Lines of documents, and the sentences behind hard-wrapped ones.

Rules on lines mean a paragraph, a heading, an item of a menu. Text wrapped at 72 columns (novels, man pages, mail,
RFCs) has none of those on a line of its own: measured as it lies, 89 % of novels fail C4 and FineWeb. So lines come
in two readings, both as places in the text, nothing copied:

* ``split_lines``: as ``str.splitlines``, ended by \\n, \\r, \\r\\n, VT, FF, FS, GS, RS, NEL, U+2028, U+2029.
* ``unwrap``: a line that ended only because the width was used up goes on in the next one.

The rule of unwrapping, over one document. A line's *width* is its characters, those of East Asia twice, white space
at its end not counted.

1. The *wrap width* W, of 40 to 120, is where widths pile up and then stop: the one with most lines of width
   W-9 ... W less those of W+1 ... W+10 (the smallest of equals). That surplus must be at least 4 lines and a
   quarter of the lines that are not blank; else nothing is unwrapped.
2. A line goes on in the next if neither is blank; it is wider than W/2 and at most W wide; it could have been broken
   earlier (it holds a space or East Asian text; a list of addresses does not); the next line's first word would not
   have fitted behind it within W - W/8; and the next line does not open with a list mark (- * + • 1. 2)).
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from pipelines.ragged import Ragged

MIN_WIDTH, MAX_WIDTH = 40, 120  # of wrapping: below lie menus and verse, above one paragraph a line
BAND = 10  # columns below the width in which wrapped lines end; most words are shorter
MIN_FULL = 4  # lines that must end there


class Lines(NamedTuple):
    """The lines of document i are ``offsets[i]:offsets[i + 1]``; line j is the bytes ``start[j]:end[j]``.

    Line ends are in no line, except those inside an unwrapped one.
    """

    offsets: np.ndarray  # int64[n + 1]
    start: np.ndarray  # int64[m]
    end: np.ndarray  # int64[m]


def split_lines(text: Ragged) -> Lines:
    """Every line of every document, blank ones too. A line end closes a line: "a\\n" is one line, "" is none."""
    return Lines(*_split(*text, _count_ends(*text)))


def unwrap(text: Ragged, lines: Lines) -> Lines:
    """The same lines with those that were only wrapped joined; see the module for the rule."""
    return Lines(*_join(*lines, _goes_on(text.data, *lines)))


@njit(nogil=True, cache=True)
def end_length(data, at, stop):
    """How many bytes the line end at ``at`` has; 0 where there is none."""
    byte = data[at]
    if byte > 0x0D:
        if byte < 0x80:
            return 1 if 0x1C <= byte <= 0x1E else 0
        if byte == 0xC2:
            return 2 if at + 1 < stop and data[at + 1] == 0x85 else 0
        if byte == 0xE2 and at + 2 < stop and data[at + 1] == 0x80 and (data[at + 2] == 0xA8 or data[at + 2] == 0xA9):
            return 3
        return 0
    if byte == 0x0D:
        return 2 if at + 1 < stop and data[at + 1] == 0x0A else 1
    return 1 if byte >= 0x0A else 0


@njit(nogil=True, cache=True)
def _count_ends(offsets, data):
    """An upper bound of the number of lines: bytes that can begin a line end, and one line a document."""
    count = offsets.size - 1
    for byte in data:
        count += (byte <= 0x1E) | (byte == 0xC2) | (byte == 0xE2)
    return count


@njit(nogil=True, cache=True)
def _split(offsets, data, most):
    n = offsets.size - 1
    first = np.empty(n + 1, np.int64)
    start, end = np.empty(most, np.int64), np.empty(most, np.int64)
    m = 0
    for i in range(n):
        first[i] = m
        begin, stop = offsets[i], offsets[i + 1]
        for at in range(begin, stop):
            if 0x1E < data[at] < 0x80 or at < begin:  # nearly all bytes; at < begin is the \n of \r\n
                continue
            length = end_length(data, at, stop)
            if length:
                start[m], end[m] = begin, at
                m += 1
                begin = at + length
        if begin < stop:
            start[m], end[m] = begin, stop
            m += 1
    first[n] = m
    return first, start[:m].copy(), end[:m].copy()


@njit(nogil=True, cache=True)
def columns(data, start, end):
    """The width of some bytes: a character takes 1 column, one of East Asia or an emoji 2."""
    width = 0
    for byte in data[start:end]:  # no branch, so that LLVM takes 16 bytes at a time
        width += (byte < 0x80) | (byte >= 0xC0)
        width += (byte >= 0xE3) & (byte != 0xEF)
    return width


@njit(nogil=True, cache=True)
def trimmed(data, start, end):
    """A line's bytes without the spaces and tabs around them: start, end; empty at its start for a blank line."""
    while end > start and (data[end - 1] == 0x20 or data[end - 1] == 0x09):
        end -= 1
    while start < end and (data[start] == 0x20 or data[start] == 0x09):
        start += 1
    return start, end


@njit(nogil=True, cache=True)
def first_word(data, start, end):
    """The width of a trimmed line's first word, at most 20; in East Asian text, which breaks anywhere, a character's."""
    width = 0
    for at in range(start, end):
        byte = data[at]
        if byte == 0x20 or byte == 0x09 or width >= 20:
            break
        width += columns(data, at, at + 1)
        if byte >= 0xE3 and byte != 0xEF:
            break
    return width


@njit(nogil=True, cache=True)
def can_break(data, start, end):
    """Could a trimmed line have been broken earlier: does it hold a space or East Asian text?"""
    found = False
    for byte in data[start:end]:
        found |= byte == 0x20 or byte == 0x09 or (byte >= 0xE3 and byte != 0xEF)
    return found


@njit(nogil=True, cache=True)
def opens_item(data, start, end):
    """Does a trimmed line begin with a list mark: - * + and a space, a bullet, or a number and a dot or bracket?"""
    at = start
    while at < end and 0x30 <= data[at] <= 0x39:
        at += 1
    if at > start:
        return at < end and at - start <= 3 and (data[at] == 0x2E or data[at] == 0x29)  # . )
    if at + 1 < end and (data[at] == 0x2D or data[at] == 0x2A or data[at] == 0x2B):  # - * +
        return data[at + 1] == 0x20 or data[at + 1] == 0x09
    return at + 2 < end and data[at] == 0xE2 and data[at + 1] == 0x80 and data[at + 2] == 0xA2  # •


@njit(nogil=True, cache=True)
def wrap_width(counts, lines):
    """Lines by width int64[MAX_WIDTH + BAND + 1], lines that are not blank -> the wrap width; 0 for none."""
    best = max(MIN_FULL, (lines + 3) // 4) - 1
    found = 0
    for width in range(MIN_WIDTH, MAX_WIDTH + 1):
        surplus = counts[width - BAND + 1 : width + 1].sum() - counts[width + 1 : width + BAND + 1].sum()
        if surplus > best:
            best, found = surplus, width
    return found


@njit(nogil=True, cache=True)
def _goes_on(data, first, start, end):
    """bool[m]: does line j go on in line j + 1?"""
    n = first.size - 1
    goes_on = np.zeros(start.size, np.bool_)
    width = np.zeros(start.size, np.int64)
    counts = np.empty(MAX_WIDTH + BAND + 1, np.int64)
    for i in range(n):
        if first[i + 1] - first[i] < MIN_FULL:
            continue
        counts[:] = 0
        lines = 0
        for j in range(first[i], first[i + 1]):
            last = trimmed(data, start[j], end[j])[1]
            width[j] = columns(data, start[j], min(last, start[j] + 4 * counts.size))  # wider is only too wide
            lines += width[j] > 0
            if width[j] < counts.size:
                counts[width[j]] += 1
        limit = wrap_width(counts, lines)
        for j in range(first[i], first[i + 1] - 1):
            if limit // 2 < width[j] <= limit and width[j + 1] > 0:
                goes_on[j] = _was_wrapped(data, start[j], end[j], width[j], start[j + 1], end[j + 1], limit)
    return goes_on


@njit(nogil=True, cache=True)
def _was_wrapped(data, start, end, width, next_start, next_end, limit):
    """Did a line end because the next one's first word did not fit?"""
    start, end = trimmed(data, start, end)
    next_start, next_end = trimmed(data, next_start, next_end)
    full = width + 1 + first_word(data, next_start, next_end) > limit - limit // 8
    return full and can_break(data, start, end) and not opens_item(data, next_start, next_end)


@njit(nogil=True, cache=True)
def _join(first, start, end, goes_on):
    n = first.size - 1
    joined = np.empty(n + 1, np.int64)
    begin, stop = np.empty(start.size, np.int64), np.empty(start.size, np.int64)
    m = 0
    for i in range(n):
        joined[i] = m
        fresh = True
        for j in range(first[i], first[i + 1]):
            if fresh:
                begin[m] = start[j]
            fresh = not goes_on[j]
            if fresh:
                stop[m] = end[j]
                m += 1
    joined[n] = m
    return joined, begin[:m].copy(), stop[:m].copy()


@njit(nogil=True, cache=True)
def words_per_line(first_line, start, end, first_word, word_start):
    """Lines and words of the same documents -> words int64[m] that begin in each line."""
    words = np.zeros(start.size, np.int64)
    for i in range(first_line.size - 1):
        w = first_word[i]
        for j in range(first_line[i], first_line[i + 1]):
            begin = w
            while w < first_word[i + 1] and word_start[w] < end[j]:
                w += 1
            words[j] = w - begin
    return words


@njit(nogil=True, cache=True)
def add_up(first, values):
    """Line values int64[m] -> their sums by document int64[n]."""
    sums = np.zeros(first.size - 1, np.int64)
    for i in range(sums.size):
        for j in range(first[i], first[i + 1]):
            sums[i] += values[j]
    return sums
