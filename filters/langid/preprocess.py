"""Text that language models read: a few slices of each document, lowercased if all capitals, and in NFC.

A document longer than the cap gives SLICES slices, evenly spread from its first byte to its last. They are cut
between characters and joined by line breaks. The beginning alone is not enough: pages begin with menus, manuals with
markup. On the first 1,024 bytes of the langid corpora lid.176 has macro-F1 0.672 and py3langid 0.615; on four slices
of the same size 0.697 and 0.647, as on the full text.
"""

import numpy as np
import polars as pl

from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.kernels.nfc import nfc_unstable
from gristmill.pipelines.kernels.utf8 import LOWER, UPPER, character_class, decode, encode, lower
from gristmill.pipelines.ragged import Ragged

SLICES = 4


def sample_slices(text: Ragged, max_bytes: int | None) -> Ragged:
    """Return about ``max_bytes`` of each document (valid UTF-8) at most; whole documents if it is None."""
    cap = text.data.size if max_bytes is None else max_bytes
    offsets, data, unstable = _sample_slices(*text, cap, nfc_unstable())
    slices = Ragged.from_arrays(offsets, data)
    if not unstable.any():
        return slices
    column = pl.Series("text", slices.to_text())
    composed = column.filter(unstable).str.normalize("NFC")
    return Ragged.from_text(column.scatter(np.flatnonzero(unstable), composed).to_arrow())


@allocating_kernel
def _sample_slices(offsets, data, cap, unstable_code):
    """Return offsets and data of the documents' slices, and bool[n]: True for slices that NFC may change."""
    n = offsets.size - 1
    size = 0
    for i in range(n):
        size += min(offsets[i + 1] - offsets[i], cap + SLICES)
    out = np.empty(size + size // 2, np.uint8)  # lower case may be longer: Ⱥ takes two bytes, ⱥ three
    out_offsets, unstable = np.zeros(n + 1, np.int64), np.zeros(n, np.bool_)
    at = 0
    for i in range(n):
        begin, end = offsets[i], offsets[i + 1]
        if end - begin <= cap:
            out[at : at + end - begin] = data[begin:end]
            at += end - begin
        else:
            width = cap // SLICES
            for s in range(SLICES):
                first = begin + (end - begin - width) * s // (SLICES - 1)
                last = first + width
                while first < last and data[first] & 0xC0 == 0x80:
                    first += 1
                while last > first and last < end and data[last] & 0xC0 == 0x80:
                    last -= 1
                out[at : at + last - first] = data[first:last]
                at += last - first
                if s < SLICES - 1:
                    out[at] = ord("\n")
                    at += 1
        if _is_all_caps(out, out_offsets[i], at):
            at = _lower(out, out_offsets[i], at)
        unstable[i] = _contains_any(out, out_offsets[i], at, unstable_code)
        out_offsets[i + 1] = at
    return out_offsets, out[:at].copy(), unstable


@allocating_kernel
def _is_all_caps(data, at, end):
    """True if there are capitals and no lowercase letters."""
    capitals = False
    while at < end:
        code, size = decode(data, at, end)
        kind = character_class(code)
        if kind == LOWER:
            return False
        capitals |= kind == UPPER
        at += size
    return capitals


@allocating_kernel
def _lower(data, begin, end):
    """Lowercase ``data[begin:end]`` in place and return its new end."""
    source = data[begin:end].copy()
    at, out = 0, begin
    while at < source.size:
        code, size = decode(source, at, source.size)
        out = encode(lower(code), data, out)
        at += size
    return out


@allocating_kernel
def _contains_any(data, at, end, codes):
    """True if ``data[at:end]`` contains a code point that is True in ``codes``."""
    while at < end:
        if data[at] < 0xCC:  # below U+0300
            at += 1
            continue
        code, size = decode(data, at, end)
        if codes[code]:
            return True
        at += size
    return False
