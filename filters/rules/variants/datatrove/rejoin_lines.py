"""Spans that leave the kept lines of a document, stripped and joined by line breaks."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from gristmill.filters.words.str_compat import stripped
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.steps.spans import spans_table

KEPT = 0
REASONS = np.array(
    [
        *("", "long_word", "no_terminal_mark", "short_line", "lorem_ipsum", "javascript", "curly_bracket", "policy"),
        *("citation", "white_space"),
    ],
    object,
)
CITATION, WHITE_SPACE = 8, 9


class Cleaned(NamedTuple):
    """The stripped lines of a batch; line j has the citations ``first[j]:first[j + 1]``."""

    reason: np.ndarray  # uint8[m], reason to remove the line; KEPT
    short: np.ndarray  # bool[m], too few words
    start: np.ndarray  # int64[m], bytes of the stripped line in the text
    end: np.ndarray
    first: np.ndarray  # int64[m + 1]
    cited: np.ndarray  # int64[2, k], start and end of each citation


def rejoin(text: Ragged, lines: np.ndarray, cleaned: Cleaned, dropped: np.ndarray) -> pa.Table:
    """Return the spans that leave the kept lines of each document, joined by \\n; a dropped document has no spans."""
    most = int((cleaned.reason == KEPT).sum()) + cleaned.first[-1] + text.rows
    row, offset, length, newlines = (np.empty(most, np.int64) for _ in range(4))
    code = np.empty(most, np.uint8)
    n = _rejoin(*text, lines, cleaned.reason, *cleaned[2:], dropped, row, offset, length, newlines, code)
    breaks = np.array(["\n" * k for k in range(int(newlines[:n].max(initial=0)) + 1)], object)
    return spans_table(row[:n], offset[:n], length[:n], REASONS[code[:n]], breaks[newlines[:n]].tolist())


@kernel
def _rejoin(offsets, data, lines, reason, start, end, first, cited, dropped, row, offset, length, newlines, code):
    """Fill one span for each gap between two kept runs of bytes, and return the number of spans.

    A gap that consists of exactly the line breaks that would replace it needs no span.
    """
    n = 0
    for i in range(offsets.size - 1):
        if dropped[i]:
            continue
        low, high = ends(data, lines[i], lines[i + 1], reason, start, end, first, cited)
        at, breaks, why = offsets[i], 0, 0  # start of the gap, line breaks to insert, first reason
        for j in range(lines[i], lines[i + 1]):
            if reason[j] != KEPT:
                why = why if why else reason[j]
                continue
            breaks += 1
            for k in range(first[j], first[j + 1] + 1):
                begin = max(start[j] if k == first[j] else cited[1, k - 1], low)
                stop = min(end[j] if k == first[j + 1] else cited[0, k], high)
                if begin < stop:
                    breaks = 0 if begin == low else breaks
                    if not is_breaks(data, at, begin, breaks):
                        row[n], offset[n], length[n], newlines[n] = i, at - offsets[i], begin - at, breaks
                        code[n] = why if why else WHITE_SPACE if breaks or begin == low else CITATION
                        n += 1
                    at, breaks, why = stop, 0, 0
        if at < offsets[i + 1]:
            row[n], offset[n], length[n], newlines[n] = i, at - offsets[i], offsets[i + 1] - at, 0
            code[n] = why if why else WHITE_SPACE
            n += 1
    return n


@kernel
def ends(data, first_line, last_line, reason, start, end, first, cited):
    """Return the start and end of the kept bytes, stripped; (0, 0) if there are none."""
    low = high = 0
    for j in range(first_line, last_line):
        if reason[j] == KEPT:
            for k in range(first[j], first[j + 1] + 1):
                begin = start[j] if k == first[j] else cited[1, k - 1]
                stop = end[j] if k == first[j + 1] else cited[0, k]
                begin, stop = stripped(data, begin, stop)
                if begin < stop:
                    low = begin if high == 0 else low
                    high = stop
    return low, high


@kernel
def is_breaks(data, begin, end, breaks):
    """True if ``data[begin:end]`` is exactly ``breaks`` line breaks."""
    if end - begin != breaks:
        return False
    for at in range(begin, end):
        if data[at] != 10:
            return False
    return True
