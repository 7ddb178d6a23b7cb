"""Paragraphs that no blank line separates: where a single line break ends one.

Each *block* of lines, between blank lines, is looked at alone, so the same block is cut alike in every document. The
*width* of a line is its number of characters, those of scripts without spaces counted twice, without white space at its
end. The *wrap width* W of a block, of 40 to 120, is where widths accumulate and then stop: it maximizes the lines of
width W-9 ... W minus those of W+1 ... W+10 (the smallest of several). This surplus must be at least 4 lines and a
quarter of the block; else the block has none.

1. If most of a block lies in lines wider than 120, each line is a paragraph.
2. A block with a wrap width has several paragraphs if a line is *short*: the first word of the next one would have
   fitted after it within W - W/8. A line wider than 120 is short, and so is a line before one.
3. Of several paragraphs, each ends in a line after which the next word would have fitted within W: no wrapping breaks a
   line there. One in a dozen ends in a line so full that no width tells, so each line that ends a sentence ends one,
   too: a paragraph is then cut into a few pieces, and its copy of the same width into the same.
4. All other blocks are one paragraph: wrapped ones between blank lines, stanzas, code, tables, short texts.
"""

import numpy as np

from gristmill.dedup.exact.normalize import space_width
from gristmill.dedup.near.shingle_letters import SPACELESS
from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.kernels.utf8 import decode

MIN_WIDTH, MAX_WIDTH = 40, 120
BAND = 10  # columns up to the width in which wrapped lines end; most words are shorter
MIN_FULL = 4  # lines that must end there
STOPS = np.array([ord(c) for c in ".!?…"], np.int64)
WIDE_STOPS = np.array([ord(c) for c in "。！？"], np.int64)
CLOSING = np.array([ord(c) for c in "\"')]}»”’」』）"], np.int64)


@allocating_kernel
def one_of(code, codes):
    """True if a code point is one of a few."""
    for each in codes:
        if code == each:
            return True
    return False


@allocating_kernel
def line_break(data, at, end):
    """True if the white space at ``at`` ends a line; of CR LF only the LF does."""
    byte = data[at]
    if byte == 13:
        return at + 1 >= end or data[at + 1] != 10
    if byte < 0x80:
        return 10 <= byte <= 12
    return (byte == 0xC2 and data[at + 1] == 0x85) or (byte == 0xE2 and data[at + 2] in (0xA8, 0xA9))


@allocating_kernel
def paragraph_starts(offsets, data, table):
    """Return where lines begin a paragraph though no blank line is before them: int64[k], ascending, in ``data``."""
    most = 0
    for i in range(offsets.size - 1):
        most = max(most, offsets[i + 1] - offsets[i])
    start, width = np.empty(most // 2 + 1, np.int64), np.empty(most // 2 + 1, np.int64)
    word, stops = np.empty(start.size, np.int64), np.empty(start.size, np.bool_)
    counts, found, m = np.zeros(MAX_WIDTH + BAND + 1, np.int64), np.empty(data.size // 2 + 1, np.int64), 0
    for i in range(offsets.size - 1):
        at, end = offsets[i], offsets[i + 1]
        n = 0  # lines of the open block
        breaks = column = 0
        while at < end:
            space = space_width(data, at, end) if data[at] <= 32 or data[at] >= 0xC2 else 0
            if space:
                broken = line_break(data, at, end)
                breaks, column = breaks + broken, 0 if broken else column + 1
                at += space
                continue
            if breaks > 1:
                m, n = _cut_block(start[:n], width, word, stops, counts, found, m), 0
            start[n] = at
            at, width[n], word[n], stops[n] = _read_line(data, at, end, table, column)
            n, breaks, column = n + 1, 0, 0
        m = _cut_block(start[:n], width, word, stops, counts, found, m)
    return found[:m].copy()


@allocating_kernel
def _read_line(data, at, end, table, column):
    """Return the end of a line, its width, that of its first word, and whether it ends a sentence.

    The first word in scripts without spaces is a character.
    """
    width = word = 0
    first, stop = True, False
    while at < end:
        space = space_width(data, at, end) if data[at] <= 32 or data[at] >= 0xC2 else 0
        if space and line_break(data, at, end):
            break
        if space:
            first = False
            column, at = column + 1, at + space
            continue
        code, size = (np.int64(data[at]), 1) if data[at] < 0x80 else decode(data, at, end)
        spaceless = table[code] >= SPACELESS
        first = first and (word == 0 or not spaceless)
        columns = 2 if spaceless else 1
        word += columns if first else 0
        first = first and not spaceless
        if not one_of(code, CLOSING):
            stop = one_of(code, STOPS) or one_of(code, WIDE_STOPS)
        column, at = column + columns, at + size
        width = column
    return at, width, word, stop


@allocating_kernel
def _cut_block(start, width, word, stops, counts, found, m):
    """Append the lines of a block that begin a paragraph, except the first, to ``found[:m]``; return their number."""
    n = start.size
    if n < 2:
        return m
    counts[:] = 0
    wide = total = 0
    for k in range(n):
        total += width[k]
        wide += width[k] if width[k] > MAX_WIDTH else 0
        counts[min(width[k], counts.size - 1)] += width[k] < counts.size
    wrap = 0 if 2 * wide > total else _wrap_width(counts, n)
    if wrap == 0 and 2 * wide <= total:
        return m
    several = wrap == 0
    for k in range(n - 1):
        several = several or _fits(width[k], width[k + 1], word[k + 1], wrap - wrap // 8)
    for k in range(n - 1):
        if several and (wrap == 0 or stops[k] or _fits(width[k], width[k + 1], word[k + 1], wrap)):
            found[m] = start[k + 1]
            m += 1
    return m


@allocating_kernel
def _wrap_width(counts, lines):
    best, found = max(MIN_FULL, (lines + 3) // 4) - 1, 0
    for width in range(MIN_WIDTH, MAX_WIDTH + 1):
        surplus = counts[width - BAND + 1 : width + 1].sum() - counts[width + 1 : width + BAND + 1].sum()
        if surplus > best:
            best, found = surplus, width
    return found


@allocating_kernel
def _fits(width, next_width, next_word, limit):
    return max(width, next_width) > MAX_WIDTH or width + 1 + next_word <= limit
