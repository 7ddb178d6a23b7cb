"""White space, lines and lengths of Python's ``str``, in which the published rule sets are written."""

from typing import NamedTuple

import numpy as np

from gristmill.filters.text.lines import places
from gristmill.filters.words.words import BEGINS_LINE, BEGINS_PARAGRAPH
from gristmill.pipelines.kernels.hashing import hash64
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged

# Roles of bytes: no white space; a space; a line break; \r; may begin non-ASCII white space.
INSIDE, BLANK, BREAK, RETURN, UNSURE = range(5)
BYTE = np.zeros(256, np.uint8)
BYTE[[*b" \t\x1f"]] = BLANK
BYTE[[*b"\n\v\f\x1c\x1d\x1e"]] = BREAK
BYTE[ord("\r")] = RETURN
BYTE[[0xC2, 0xE1, 0xE2, 0xE3]] = UNSURE


@inline_kernel
def wide_space(data, at, stop):
    """Return the bytes of the non-ASCII white space at ``at``, 0 if there is none, and its line breaks."""
    byte = data[at]
    if byte == 0xC2:
        if at + 1 < stop and (data[at + 1] == 0x85 or data[at + 1] == 0xA0):
            return 2, np.int64(data[at + 1] == 0x85)
        return 0, 0
    if at + 2 >= stop:
        return 0, 0
    second, third = data[at + 1], data[at + 2]
    if byte == 0xE1:
        return 3 * (second == 0x9A and third == 0x80), 0
    if byte == 0xE3:
        return 3 * (second == 0x80 and third == 0x80), 0
    if byte == 0xE2 and second == 0x80:
        breaks = (third == 0xA8) + 2 * (third == 0xA9)
        return 3 * (0x80 <= third <= 0x8A or breaks > 0 or third == 0xAF), breaks
    return 3 * (byte == 0xE2 and second == 0x81 and third == 0x9F), 0


@inline_kernel
def space(data, at, stop):
    """Return the bytes of the white space character at ``at``; 0 for other characters."""
    role = BYTE[data[at]]
    if role == INSIDE:
        return 0
    return 1 if role != UNSURE else wide_space(data, at, stop)[0]


@kernel
def stripped(data, start, end):
    """Strip ``data[start:end]`` by ``str.strip``: return the new start and end."""
    start, end = np.int64(start), np.int64(end)
    while start < end:
        size = space(data, start, end)
        if not size:
            break
        start += size
    while start < end:
        last = end - 1
        while last > start and data[last] & 0xC0 == 0x80:
            last -= 1
        if space(data, last, end) != end - last:
            break
        end = last
    return start, end


@inline_kernel
def characters_in(data, start, end):
    """Return ``len`` of the text ``data[start:end]``."""
    n = 0
    for at in range(start, end):
        n += data[at] & 0xC0 != 0x80
    return n


@kernel
def count_characters(offsets, data, lengths):
    """Fill ``len`` of each document."""
    for row in range(offsets.size - 1):
        lengths[row] = characters_in(data, offsets[row], offsets[row + 1])


def lengths(text: Ragged) -> np.ndarray:
    """Return ``len`` of each document, int64[n]."""
    found = np.zeros(text.rows, np.int64)
    count_characters(*text, found)
    return found


class Parts(NamedTuple):
    """Parts of documents, as lines: part j belongs to document i if ``offsets[i] <= j < offsets[i + 1]``."""

    offsets: np.ndarray  # int64[n + 1]
    start: np.ndarray  # int32[m]
    end: np.ndarray  # int32[m]
    length: np.ndarray  # int32[m], in characters
    key: np.ndarray  # uint64[m], equal for equal parts


@kernel
def find_chunks(offsets, data, rows, start, end, begins):
    """Fill the chunks of each document, split by ``str.split``, and whether they begin a line or a paragraph."""
    m = 0
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        breaks = 2
        while at < stop:
            role = BYTE[data[at]]
            if role != INSIDE:
                size, broken = 1, 0
                if role == BREAK:
                    broken = 1
                elif role == RETURN:
                    broken = np.int64(at + 1 == stop or data[at + 1] != 10)
                elif role == UNSURE:
                    size, broken = wide_space(data, at, stop)
                if size:
                    at, breaks = at + size, breaks + broken
                    continue
            start[m] = at
            while at < stop:
                role = BYTE[data[at]]
                if role != INSIDE and (role != UNSURE or wide_space(data, at, stop)[0]):
                    break
                at += 1
            end[m] = at
            begins[m] = 0 if breaks == 0 else BEGINS_LINE if breaks == 1 else BEGINS_LINE | BEGINS_PARAGRAPH
            breaks = 0
            m += 1
        rows[row + 1] = m


NEWLINE = np.arange(256) == 10


def split_at_newlines(text: Ragged, least: int = 1, runs: bool = False, strip: bool = False) -> Parts:
    r"""Split by ``text.split("\n")``, with ``runs`` by ``re.split("\n{least,}", text)``; with ``strip`` strip first."""
    breaks = places(text.data, NEWLINE)
    most = breaks.size + text.rows
    arrays = [np.empty(most, kind) for kind in (np.int32, np.int32, np.int32, np.uint64)]
    offsets = np.zeros(text.rows + 1, np.int64)
    _split(*text, breaks, least, runs, strip, offsets, *arrays)
    return Parts(offsets, *(array[: offsets[-1]] for array in arrays))


@kernel
def _split(offsets, data, breaks, least, runs, strip, first, start, end, length, key):
    m = b = 0
    for row in range(offsets.size - 1):
        begin, stop = offsets[row], offsets[row + 1]
        if strip:
            begin, stop = stripped(data, begin, stop)
        while b < breaks.size and breaks[b] < begin:
            b += 1
        while begin <= stop:
            at = over = stop  # end of the part, start of the next
            while b < breaks.size and breaks[b] < stop:
                at = np.int64(breaks[b])
                over = at + 1
                b += 1
                while runs and b < breaks.size and breaks[b] == over and over < stop:
                    over, b = over + 1, b + 1
                if over - at >= least:
                    break
                at = over = stop
            start[m], end[m] = begin, at
            length[m] = characters_in(data, begin, at)
            key[m] = hash64(data, begin, at)
            m += 1
            if at == stop:
                break
            begin = over
        first[row + 1] = m
