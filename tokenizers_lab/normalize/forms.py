"""Unicode's normalization forms, one document at a time, except for documents that no form changes.

A character is stable if the form keeps it, it is no mark, and it joins no character before it. A document of stable
characters is normalized already (Unicode Standard Annex 15, section 9), by every version of Unicode: normalization of
assigned characters never changes, and unassigned ones are not stable here.
"""

import unicodedata
from collections.abc import Callable
from functools import cache

import numpy as np

from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged

IDEOGRAPHS = (0x3400, 0x4DC0), (0x4E00, 0x9FFD), (0x20000, 0x2A6D7)  # of Unicode 13 and before
SYLLABLES = (0xAC00, 0xD7A4)
LISTED = (*range(0x3400), *range(0xA000, 0xAC00), *range(0xE000, 0x20000))
JOINING = range(0x1160, 0x1200)  # vowels and last consonants of Hangul


def by_document(text: Ragged, change: Callable[[str], str], form: str) -> Ragged:
    """Return each document changed by ``change``, a function that brings it into ``form`` (NFC, NFD, NFKC or NFKD)."""
    stable = np.empty(text.rows, np.bool_)
    _are_stable(*text, stable_characters(form), stable)
    rows = np.flatnonzero(~stable)
    if not rows.size:
        return text
    parts, begin, sizes = [], 0, np.diff(text.offsets)
    for row in rows.tolist():
        parts.append(text.data[begin : text.offsets[row]])
        begin = int(text.offsets[row + 1])
        data = change(text.row(row).decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        parts.append(np.frombuffer(data, np.uint8))
        sizes[row] = len(data)
    parts.append(text.data[begin:])
    return Ragged.from_arrays(np.concatenate(([0], np.cumsum(sizes))), np.concatenate(parts))


@cache
def stable_characters(form: str) -> np.ndarray:
    """Return the stable characters of a form: bool[0x110000]."""
    stable = np.zeros(0x110000, np.bool_)
    for begin, end in (*IDEOGRAPHS, *([SYLLABLES] if form in ("NFC", "NFKC") else [])):
        stable[begin:end] = True
    for code in LISTED:
        character = chr(code)
        if unicodedata.category(character)[0] not in "MC" or code < 0x20:
            stable[code] = unicodedata.normalize(form, character) == character  # type: ignore[arg-type]
    stable[JOINING.start : JOINING.stop] = False
    return stable


@kernel
def _are_stable(offsets, data, table, stable):
    for row in range(stable.size):
        at, end = offsets[row], offsets[row + 1]
        while at < end:
            if data[at] < 0x80:
                at += 1
                continue
            code, size = decode(data, at, end)
            if size == 1 or not table[code]:
                break
            at += size
        stable[row] = at == end
