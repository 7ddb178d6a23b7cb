"""Passages: byte ranges of the sentences, lines or paragraphs of a text.

A passage begins at a character that is not white space and ends before the white space that separates it from the
next. Line breaks separate lines. Blank lines separate paragraphs, and so do line breaks that no wrapping explains
(dedup/passages/wrapping.py). Sentences are separated by line breaks, by ``. ! ? …`` (closing quotes may follow) and a
space, or by ``。！？`` alone.
"""

from typing import NamedTuple

import numpy as np

from gristmill.dedup.exact.normalize import hash_normalized, space_width
from gristmill.dedup.near.shingle_letters import SPACELESS, letters
from gristmill.dedup.passages.wrapping import CLOSING, STOPS, WIDE_STOPS, line_break, one_of, paragraph_starts
from gristmill.pipelines.kernels.gather import gather_rows
from gristmill.pipelines.kernels.intrinsics import allocating_kernel
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
        at, end = offsets[i], offsets[i + 1]
        open_, inside = False, False  # in a passage; in a word
        lines = count = last = 0
        stop = wide = False
        while at < end:
            byte = data[at]
            width = space_width(data, at, end) if byte <= 32 or byte >= 0xC2 else 0
            if width:
                lines += line_break(data, at, end)
                inside = False
                at += width
                continue
            code, width = (np.int64(byte), 1) if byte < 0x80 else decode(data, at, end)
            if open_:
                spaced = at > last
                cut = lines > 1 or (lines == 1 and kind < 2)
                if lines == 1 and kind == 2:
                    while w < wrapped.size and wrapped[w] < at:
                        w += 1
                    cut = w < wrapped.size and wrapped[w] == at
                if kind == 0 and not cut:
                    cut = (spaced and stop) or (wide and not one_of(code, CLOSING) and not one_of(code, WIDE_STOPS))
                if cut:
                    ends[m], words[m], breaks[m] = last, count, min(lines, 255)
                    m += 1
                    open_ = False
            if not open_:
                starts[m] = at
                open_, count, stop, wide, inside = True, 0, False, False, False
            lines = 0
            spaceless = table[code] >= SPACELESS
            count += spaceless or not inside
            inside = not spaceless
            if not one_of(code, CLOSING):
                wide = one_of(code, WIDE_STOPS)
                stop = wide or one_of(code, STOPS)
            at += width
            last = at
        if open_:
            ends[m], words[m], breaks[m] = last, count, min(lines, 255)
            m += 1
        first[i + 1] = m
    return first, starts[:m].copy(), ends[:m].copy(), breaks[:m].copy(), words[:m].copy()
