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

from gristmill.pipelines.kernels.intrinsics import kernel, load_u64
from gristmill.pipelines.ragged import Ragged

MIN_WIDTH, MAX_WIDTH = 40, 120  # of wrapping: below lie menus and verse, above one paragraph a line
BAND = 10  # columns below the width in which wrapped lines end; most words are shorter
MIN_FULL = 4  # lines that must end there

NOT_ASCII = np.uint64(0x8080808080808080)  # of 8 bytes at once
MAY_BREAK = np.zeros(256, np.bool_)  # bytes that can begin a line end
MAY_BREAK[[*b"\n\v\f\r\x1c\x1d\x1e", 0xC2, 0xE2]] = True


class Lines(NamedTuple):
    """The lines of document i are ``offsets[i]:offsets[i + 1]``; line j is the bytes ``start[j]:end[j]``.

    Line ends are in no line, except those inside an unwrapped one.
    """

    offsets: np.ndarray  # int64[n + 1]
    start: np.ndarray  # int32[m]; batches stay below 2 GiB
    end: np.ndarray  # int32[m]


def split_lines(text: Ragged) -> Lines:
    """Every line of every document, blank ones too. A line end closes a line: "a\\n" is one line, "" is none."""
    breaks = places(text.data, MAY_BREAK)
    most = breaks.size + text.rows
    offsets, start, end = np.zeros(text.rows + 1, np.int64), np.empty(most, np.int32), np.empty(most, np.int32)
    _split(*text, breaks, offsets, start, end)
    return _frozen(offsets, start, end)


def unwrap(text: Ragged, lines: Lines) -> Lines:
    """The same lines with those that were only wrapped joined; see the module for the rule."""
    width, goes_on = np.zeros(lines.start.size, np.int32), np.zeros(lines.start.size, np.bool_)
    _find_wraps(text.data, *lines, np.zeros(MAX_WIDTH + BAND + 1, np.int64), width, goes_on)
    offsets, start, end = np.zeros_like(lines.offsets), np.empty_like(lines.start), np.empty_like(lines.end)
    _join(*lines, goes_on, offsets, start, end)
    return _frozen(offsets, start, end)


def places(data: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Bytes and the set of those wanted (bool[256]) -> where they are, int32.

    Three times as fast as asking of each byte while doing something else: this loop never branches.
    """
    found = np.empty(data.size + 1, np.int32)  # memory never written to is never taken
    return found[: _places(data, wanted, found)]


def add_up(offsets: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values of lines -> their sums by document, int64[n]."""
    sums = np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
    return sums[offsets[1:]] - sums[offsets[:-1]]


def _frozen(offsets: np.ndarray, start: np.ndarray, end: np.ndarray) -> Lines:
    lines = Lines(offsets, start[: offsets[-1]], end[: offsets[-1]])
    for array in lines:
        array.flags.writeable = False
    return lines


@kernel
def _places(data, wanted, found):
    n = 0
    for at in range(data.size):
        found[n] = at
        n += wanted[data[at]]
    return n


@kernel
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


@kernel
def _split(offsets, data, breaks, first, start, end):
    m = b = 0
    for i in range(offsets.size - 1):
        begin, stop = offsets[i], offsets[i + 1]
        while b < breaks.size and breaks[b] < stop:
            at = np.int64(breaks[b])
            b += 1
            length = end_length(data, at, stop) if at >= begin else 0  # before it lies the \n of \r\n
            if length:
                start[m], end[m] = begin, at
                m += 1
                begin = at + length
        if begin < stop:
            start[m], end[m] = begin, stop
            m += 1
        first[i + 1] = m


@kernel
def columns(data, start, end):
    """The width of some bytes: a character takes 1 column, one of East Asia or an emoji 2."""
    at, end, width = np.int64(start), np.int64(end), 0
    while at < end:
        if end - at >= 8 and load_u64(data, at) & NOT_ASCII == 0:
            at, width = at + 8, width + 8
            continue
        byte = data[at]
        width += (byte < 0x80) | (byte >= 0xC0)
        width += (byte >= 0xE3) & (byte != 0xEF)
        at += 1
    return width


@kernel
def trimmed(data, start, end):
    """A line's bytes without the spaces and tabs around them: start, end; empty for a blank line."""
    start, end = np.int64(start), np.int64(end)
    while end > start and (data[end - 1] == 0x20 or data[end - 1] == 0x09):
        end -= 1
    while start < end and (data[start] == 0x20 or data[start] == 0x09):
        start += 1
    return start, end


@kernel
def first_word(data, start, end):
    """The width of a trimmed line's first word, at most 20; in East Asia, where lines break anywhere, a character's."""
    width = 0
    for at in range(start, end):
        byte = data[at]
        if byte == 0x20 or byte == 0x09 or width >= 20:
            break
        width += columns(data, at, at + 1)
        if byte >= 0xE3 and byte != 0xEF:
            break
    return width


@kernel
def can_break(data, start, end):
    """Could a trimmed line have been broken earlier: does it hold a space or East Asian text?"""
    at = start
    while at < end and data[at] != 0x20 and data[at] != 0x09 and (data[at] < 0xE3 or data[at] == 0xEF):
        at += 1
    return at < end


@kernel
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


@kernel
def wrap_width(counts, lines):
    """Lines by width int64[MAX_WIDTH + BAND + 1], lines that are not blank -> the wrap width; 0 for none."""
    best = max(MIN_FULL, (lines + 3) // 4) - 1
    found = inside = outside = 0
    for width in range(MIN_WIDTH - BAND + 1, MIN_WIDTH + 1):
        inside, outside = inside + counts[width], outside + counts[width + BAND]
    for width in range(MIN_WIDTH, MAX_WIDTH + 1):
        if inside - outside > best:
            best, found = inside - outside, width
        inside += counts[width + 1] - counts[width + 1 - BAND]
        outside += (counts[width + 1 + BAND] if width < MAX_WIDTH else 0) - counts[width + 1]
    return found


@kernel
def _find_wraps(data, first, start, end, counts, width, goes_on):
    """Say of each line whether it goes on in the next one."""
    for i in range(first.size - 1):
        if first[i + 1] - first[i] < MIN_FULL:
            continue
        counts[:] = 0
        lines = 0
        for j in range(first[i], first[i + 1]):
            stop = trimmed(data, start[j], end[j])[1]
            width[j] = columns(data, start[j], min(stop, start[j] + 4 * counts.size))  # wider is only too wide
            lines += width[j] > 0
            if width[j] < counts.size:
                counts[width[j]] += 1
        limit = wrap_width(counts, lines)
        for j in range(first[i], first[i + 1] - 1):
            if limit // 2 < width[j] <= limit and width[j + 1] > 0:
                goes_on[j] = _was_wrapped(data, start[j], end[j], width[j], start[j + 1], end[j + 1], limit)


@kernel
def _was_wrapped(data, start, end, width, next_start, next_end, limit):
    """Did a line end because the next one's first word did not fit?"""
    start, end = trimmed(data, start, end)
    next_start, next_end = trimmed(data, next_start, next_end)
    full = width + 1 + first_word(data, next_start, next_end) > limit - limit // 8
    return full and can_break(data, start, end) and not opens_item(data, next_start, next_end)


@kernel
def _join(first, start, end, goes_on, joined, begin, stop):
    m = 0
    for i in range(first.size - 1):
        fresh = True
        for j in range(first[i], first[i + 1]):
            if fresh:
                begin[m] = start[j]
            fresh = not goes_on[j]
            if fresh:
                stop[m] = end[j]
                m += 1
        joined[i + 1] = m
