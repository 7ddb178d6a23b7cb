"""Canonical text: the form in which documents and passages are compared; the text that is kept never changes.

Texts that Unicode calls equal are equal: each is composed (NFC), without soft hyphens and zero-width characters, which
are in the code points but on no page. Text of ASCII is looked at once and not copied.
"""

import re
from functools import cache

import numpy as np
import polars as pl

from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.kernels.nfc import nfc_unstable
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged

# Default_Ignorable_Code_Point of Unicode 16.0, except the Hangul fillers, which are letters.
IGNORED = (
    "[\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def canonical(text: Ragged) -> Ragged:
    """Return the canonical form of each row, the same arrays if no row changes; rows of invalid UTF-8 stay."""
    if not text.data.size or text.data.max() < 0x80:
        return text
    rows = np.flatnonzero(_contains_any(*text, _changing()))
    if not rows.size:
        return text
    column = pl.Series("text", text.to_text())
    changed = column.gather(rows).str.replace_all(IGNORED, "").str.normalize("NFC")
    return Ragged.from_text(column.scatter(rows, changed).to_arrow())


@cache
def _changing() -> np.ndarray:
    """Return bool[0x110000]: characters that are ignored, or that NFC may change."""
    table = nfc_unstable().copy()
    every = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    table[[ord(character) for character in re.findall(IGNORED, every)]] = True
    table.flags.writeable = False
    return table


@allocating_kernel
def _contains_any(offsets, data, table):
    """Return bool[n]: rows of valid UTF-8 with a character that is True in the table."""
    found = np.zeros(offsets.size - 1, np.bool_)
    for i in range(found.size):
        at, end = offsets[i], offsets[i + 1]
        while at < end:
            if data[at] < 0x80:
                at += 1
                continue
            code, size = decode(data, at, end)
            if size == 1:  # damaged: what follows in Polars reads as far as the bytes say, beyond the row
                found[i] = False
                break
            found[i] |= table[code]
            at += size
    return found
