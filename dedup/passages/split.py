"""Passages: byte ranges of the sentences, lines or paragraphs of a text.

A passage begins at a character that is not white space and ends before the white space that separates it from the
next. Line breaks separate lines, blank lines separate paragraphs. Sentences are separated by either, by ``. ! ? …``
(closing quotes may follow) and a space, or by ``。！？`` alone.
"""

from typing import NamedTuple

import numpy as np

from gristmill.dedup.canonical import canonical
from gristmill.dedup.exact.normalize import hash_normalized, space_width
from gristmill.dedup.near.shingle_letters import SPACELESS, letters
from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged

SENTENCE, LINE, PARAGRAPH = KINDS = ("sentence", "line", "paragraph")
STOPS = np.array([ord(c) for c in ".!?…"], np.int64)
WIDE_STOPS = np.array([ord(c) for c in "。！？"], np.int64)
CLOSING = np.array([ord(c) for c in "\"')]}»”’」』）"], np.int64)


class Passages(NamedTuple):
    """Passages of a batch; those of document i are ``offsets[i]:offsets[i + 1]``."""

    offsets: np.ndarray  # int64[n + 1]
    start: np.ndarray  # int64[m], in the batch's data
    end: np.ndarray  # int64[m]
    breaks: np.ndarray  # uint8[m], line breaks in the white space after it, at most 255
    words: np.ndarray  # int64[m], runs without white space, or letters of scripts without spaces

    def hashes(self, text: Ragged, lowercase: bool = False) -> np.ndarray:
        """Return uint64[m], equal for passages whose canonical forms (dedup/canonical.py) differ in white space only.

        Of 10^9, any two collide with 3 %.
        """
        if not self.start.size:
            return np.zeros(0, np.uint64)
        cuts = np.append(self.start, text.data.size)
        passages = Ragged.from_arrays(cuts - cuts[0], text.data[cuts[0] :])
        return hash_normalized(*canonical(passages), lowercase)[0]


def cut_passages(text: Ragged, kind: str) -> Passages:
    """Split each document into passages of a kind of KINDS; a blank document has none."""
    return Passages(*_cut(*text, letters(), KINDS.index(kind)))


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
def _cut(offsets, data, table, kind):
    n = offsets.size - 1
    first = np.zeros(n + 1, np.int64)
    room = data.size // 2 + n + 1  # a passage takes a character and white space, or a wide stop (3 bytes)
    starts, ends, words = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    breaks = np.zeros(room, np.uint8)
    m = 0
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
                cut = lines > 0 if kind < 2 else lines > 1
                if kind == 0 and not cut:
                    cut = (spaced and stop) or (wide and not _one_of(code, CLOSING) and not _one_of(code, WIDE_STOPS))
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
            if not _one_of(code, CLOSING):
                wide = _one_of(code, WIDE_STOPS)
                stop = wide or _one_of(code, STOPS)
            at += width
            last = at
        if open_:
            ends[m], words[m], breaks[m] = last, count, min(lines, 255)
            m += 1
        first[i + 1] = m
    return first, starts[:m].copy(), ends[:m].copy(), breaks[:m].copy(), words[:m].copy()


@allocating_kernel
def _one_of(code, codes):
    for each in codes:
        if code == each:
            return True
    return False
