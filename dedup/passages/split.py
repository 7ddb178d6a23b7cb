"""Passages: byte ranges of the sentences, lines or paragraphs of a text.

A passage begins at a character that is not white space and ends before the white space that separates it from the
next. Line breaks separate lines. Blank lines separate paragraphs, and so do line breaks that no wrapping explains
(dedup/passages/wrapping.py). Sentences are separated by line breaks, by ``. ! ? …`` (closing quotes may follow) and a
space, or by ``。！？`` alone.
"""

from typing import NamedTuple

import numpy as np

from gristmill.dedup.exact.normalize import ONE, SURE, hash_normalized, space_width, white_space
from gristmill.dedup.near.shingle_letters import SPACELESS, letters
from gristmill.dedup.passages.wrapping import CLOSING, STOPS, WIDE_STOPS, line_break, one_of, paragraph_starts
from gristmill.pipelines.kernels.gather import gather_rows
from gristmill.pipelines.kernels.intrinsics import (
    allocating_kernel,
    inline_kernel,
    leading_zeros,
    popcount,
    trailing_zeros,
)
from gristmill.pipelines.kernels.masks import WINDOW, low_bits_mask, range_mask
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.steps.canonical import canonical, changing_rows

SENTENCE, LINE, PARAGRAPH = KINDS = ("sentence", "line", "paragraph")


class Passages(NamedTuple):
    """Passages of a batch; those of document i are ``offsets[i]:offsets[i + 1]``."""

    offsets: np.ndarray  # int64[n + 1]
    start: np.ndarray  # int64[m], in the batch's data
    end: np.ndarray  # int64[m]
    breaks: np.ndarray  # uint8[m], line breaks in the white space after it, at most 255
    words: np.ndarray  # int64[m], runs without white space, or letters of scripts without spaces

    def hashes(self, text: Ragged, lowercase: bool = False) -> np.ndarray:
        """Return uint64[m]: equal for equal canonical text (pipelines/steps/canonical.py), up to white space.

        Of 10^9, any two collide with 3 %.
        """
        if not self.start.size:
            return np.zeros(0, np.uint64)
        cuts = np.append(self.start, text.data.size)
        passages = Ragged.from_arrays(cuts - cuts[0], text.data[cuts[0] :])
        hashes, rows = hash_normalized(*passages, lowercase)[0], changing_rows(passages)
        if rows.size:  # few: copying all passages costs more than hashing these twice
            hashes[rows] = hash_normalized(*canonical(gather_rows(passages, rows)), lowercase)[0]
        return hashes


def cut_passages(text: Ragged, kind: str) -> Passages:
    """Split each document into passages of a kind of KINDS; a blank document has none."""
    starts = paragraph_starts(*text, letters()) if kind == PARAGRAPH else np.zeros(0, np.int64)
    return Passages(*_cut(*text, letters(), KINDS.index(kind), starts))


@allocating_kernel
def _cut(offsets, data, table, kind, wrapped):
    n = offsets.size - 1
    first = np.zeros(n + 1, np.int64)
    room = data.size // 2 + n + 1  # a passage takes a character and white space, or a wide stop (3 bytes)
    starts, ends, words = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    breaks = np.zeros(room, np.uint8)
    m = w = 0
    for i in range(n):
        end = offsets[i + 1]
        at, _ = _skip_space(data, offsets[i], end)
        while at < end:
            starts[m], words[m], joined = at, 0, True
            while joined:
                ends[m], count = _read_sentence(data, at, end, table) if kind == 0 else _read_line(data, at, end, table)
                at, lines = _skip_space(data, ends[m], end)
                words[m] += count
                while w < wrapped.size and wrapped[w] < at:
                    w += 1
                joined = kind == 2 and lines == 1 and at < end and not (w < wrapped.size and wrapped[w] == at)
            breaks[m] = min(lines, 255)
            m += 1
        first[i + 1] = m
    return first, starts[:m].copy(), ends[:m].copy(), breaks[:m].copy(), words[:m].copy()


@allocating_kernel
def _skip_space(data, at, end):
    """Return the next byte that is no white space, and the number of line breaks before it."""
    lines = 0
    while at < end:
        width = space_width(data, at, end)
        if width == 0:
            break
        lines += line_break(data, at, end)
        at += width
    return at, lines


@allocating_kernel
def _read_sentence(data, at, end, table):
    """Return the end of the sentence at ``at``, before white space, and its number of words."""
    last, count, inside, stop, wide = at, 0, False, False, False
    while at < end:
        over, lines = _skip_space(data, at, end)
        if over > at and (lines or stop or over == end):
            break
        inside &= over == at
        at = over
        code, width = (np.int64(data[at]), 1) if data[at] < 0x80 else decode(data, at, end)
        closing = one_of(code, CLOSING)
        if wide and not closing and not one_of(code, WIDE_STOPS):
            break
        spaceless = table[code] >= SPACELESS
        count += spaceless or not inside
        inside = not spaceless
        if not closing:
            wide = one_of(code, WIDE_STOPS)
            stop = wide or one_of(code, STOPS)
        at += width
        last = at
    return last, count


@allocating_kernel
def _read_line(data, at, end, table):
    """Return the end of the text in the line at ``at``, and its number of words."""
    last, count, inside = np.int64(at), 0, False
    at, end = np.int64(at), np.int64(end)
    while at < end:
        if at + WINDOW <= data.size:
            size = end - at if end - at < SURE else np.int64(SURE)
            if range_mask(data, at, 0xC2, 0xFF):
                size = min(size, trailing_zeros(_odd_characters(data, at, end)))
            white = range_mask(data, at, 9, 13) | range_mask(data, at, 32, 32)
            broken = range_mask(data, at, 10, 13) & low_bits_mask(size)
            size = trailing_zeros(broken) if broken else size
            text = ~white & low_bits_mask(size)
            count += popcount(text & ~(text << ONE | ONE if inside else text << ONE))
            last = at + WINDOW - leading_zeros(text) if text else last
            if broken:
                break
            if size:
                inside = (text >> np.uint64(size - 1)) & ONE != 0
                at += size
                continue
        width = space_width(data, at, end)
        if width:
            if line_break(data, at, end):
                break
            inside = False
            at += width
            continue
        code, width = (np.int64(data[at]), 1) if data[at] < 0x80 else decode(data, at, end)
        spaceless = table[code] >= SPACELESS
        count += spaceless or not inside
        inside = not spaceless
        at += width
        last = at
    return last, count


@inline_kernel
def _odd_characters(data, at, end):
    """Return the mask of first bytes of characters that may be white space or in a script without spaces.

    Scripts with spaces among those of three bytes: Indic, Georgian to Cherokee, Vietnamese, Greek, symbols, Hangul.
    """
    wide = range_mask(data, at, 0xE0, 0xFF) & ~range_mask(data, at, 0xEB, 0xED)
    spaced = range_mask(data, at, 0xE0, 0xE0) & (range_mask(data, at, 0xA0, 0xB7) >> ONE)
    eastern = range_mask(data, at, 0x83, 0x99) | range_mask(data, at, 0xB0, 0xBF)
    spaced |= range_mask(data, at, 0xE1, 0xE1) & (eastern >> ONE)
    spaced |= range_mask(data, at, 0xE2, 0xE2) & (range_mask(data, at, 0x80, 0xB9) >> ONE)
    spaced |= range_mask(data, at, 0xEA, 0xEA) & (range_mask(data, at, 0xB0, 0xBF) >> ONE)
    white = white_space(data, at, end)[1]
    return (white & range_mask(data, at, 0xC2, 0xE3)) | (wide & ~spaced)
