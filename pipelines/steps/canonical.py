"""Canonical text: the form in which documents and passages are compared; the text that is kept never changes.

Texts that Unicode calls equal are equal: each is composed (NFC), without soft hyphens and zero-width characters, which
are in the code points but on no page. Text that is canonical is looked at once and not copied.
"""

from functools import cache

import numpy as np
import polars as pl

from gristmill.pipelines.kernels.gather import gather_spans
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, load_u64
from gristmill.pipelines.kernels.nfc import UNSTABLE, nfc_classes
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.steps.spans import rewrite, spans_table

# Default_Ignorable_Code_Point of Unicode 16.0, except the Hangul fillers, which are letters: first and last.
IGNORED = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F)),
    *((0x202A, 0x202E), (0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0x1BCA0, 0x1BCA3)),
    *((0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
IGNORED_PATTERN = "[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in IGNORED) + "]"
NOT_ASCII = np.uint64(0x8080808080808080)  # in 8 bytes at once


def canonical(text: Ragged) -> Ragged:
    """Return the canonical form of each row, the same arrays if no row changes; rows of invalid UTF-8 stay."""
    row, begin, end = _unstable_words(*text, _classes())
    if not row.size:
        return text
    words = pl.Series("word", gather_spans(text.data, begin, end).to_text())
    changed = words.str.replace_all(IGNORED_PATTERN, "").str.normalize("NFC")
    return rewrite(text, spans_table(row, begin - text.offsets[row], end - begin, [""] * row.size, changed.to_arrow()))


def changing_rows(text: Ragged) -> np.ndarray:
    """Return the numbers of the rows that may not be canonical, ascending; all others are."""
    return np.unique(_unstable_words(*text, _classes())[0])


@cache
def _classes() -> np.ndarray:
    """Return `nfc_classes` in which characters that are ignored are unstable."""
    table = nfc_classes().copy()
    for first, last in IGNORED:
        table[first : last + 1] = UNSTABLE
    table.flags.writeable = False
    return table


@allocating_kernel
def _unstable_words(offsets, data, classes):
    """Return row, begin and end of each run without ASCII white space that may not be canonical, of valid UTF-8.

    A run has an unstable character, or marks out of order. NFC reaches across no ASCII white space.
    """
    row, begins = np.empty(data.size // 2 + 1, np.int64), np.empty(data.size // 2 + 1, np.int64)
    ends, m = np.empty(row.size, np.int64), 0
    for i in range(offsets.size - 1):
        at, end, first, begin, before = offsets[i], offsets[i + 1], m, np.int64(-1), np.uint8(0)
        while at <= end:
            if at == end or data[at] < 0x80:
                if begin >= 0 and (at == end or data[at] <= 32):
                    row[m], begins[m], ends[m] = i, begin, at
                    m, begin = m + 1, np.int64(-1)
                at += 8 if begin < 0 and end - at >= 8 and load_u64(data, at) & NOT_ASCII == 0 else 1
                before = np.uint8(0)
                continue
            code, size = decode(data, at, end)
            if size == 1:  # damaged: what follows in Polars reads as far as the bytes say, beyond the row
                m = first
                break
            own = classes[code]
            if begin < 0 and (own == UNSTABLE or 0 < own < before):
                begin = at
                while begin > offsets[i] and data[begin - 1] > 32:
                    begin -= 1
            before = own
            at += size
    return row[:m].copy(), begins[:m].copy(), ends[:m].copy()
