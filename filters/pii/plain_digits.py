"""Digits of other scripts, and full-width letters and marks, as ASCII: ``٠١٢``, ``०१२``, ``０１２``, ``＠``.

Our rules know ASCII alone. A document with such digits is examined in a copy that has one ASCII character for each of
them, so positions in characters stay. ASCII text costs one comparison per 16 bytes, other text two table lookups per
byte.
"""

import re

import numpy as np

from gristmill.pipelines.kernels.intrinsics import kernel, load_u64
from gristmill.pipelines.ragged import Ragged

# The scripts whose digits people write numbers with: Arabic, Persian, N'Ko, nine of India, Thai, Lao, Burmese, Khmer.
ZEROS = "٠۰߀०০੦૦୦௦౦೦൦๐໐၀០０"
WIDE = "（）＋－．／＠＿" + "".join(map(chr, (*range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))))
PLAIN = {ord(zero) + digit: 0x30 + digit for zero in ZEROS for digit in range(10)}
PLAIN |= {ord(wide): ord(wide) - 0xFEE0 for wide in WIDE} | {ord("٪"): ord("%"), ord("٫"): ord("."), ord("٬"): ord(",")}
HYPHEN = re.compile(r"(?<=[0-9])[ー−](?=[0-9])")
MIN_DIGITS = 4  # in a document that is examined in a copy: a year, an IPv4 address
WIDE_DIGIT, WIDE_MARK, WIDE_AT = (1 << n for n in range(5, 8))
NON_ASCII = np.uint64(0x8080808080808080)


def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Return bits by the last byte of a character and by the one before it; a common bit tells that both may be one."""
    last, before = np.zeros(256, np.uint8), np.zeros(256, np.uint8)
    bits = {0xA0: 1, 0xB0: 2, 0x80: 4, 0xA6: 8, 0x90: 16}  # by the last byte of a zero
    for zero in ZEROS[:-1]:
        *_, lead, tail = zero.encode()
        before[lead] |= bits[tail]
        last[tail : tail + 10] |= bits[tail]
    before[0xBC] |= WIDE_DIGIT | WIDE_MARK | WIDE_AT
    last[0x90:0x9A] |= WIDE_DIGIT
    last[[mark.encode()[2] for mark in "（）－．／"]] |= WIDE_MARK
    last[0xA0] |= WIDE_AT
    return last, before


LAST, BEFORE = _tables()
SECOND = {0xE0: [0xA5, 0xA7, 0xA9, 0xAB, 0xAD, 0xAF, 0xB1, 0xB3, 0xB5, 0xB9, 0xBB], 0xE1: [0x81, 0x9F], 0xEF: [0xBC]}
IS_LEAD = np.zeros((256, 256), np.bool_)  # of characters of three bytes, by the second
for _lead, _seconds in SECOND.items():
    IS_LEAD[_lead, _seconds] = True
IS_DIGIT = np.isin(np.arange(256), [*b"0123456789"])


def plain_copy(text: Ragged) -> tuple[Ragged, dict[int, str]]:
    """Return the documents, each with enough digits of other scripts as a copy, and the original of these by row."""
    found = np.zeros(text.rows, np.bool_)
    _examine(*text, found)
    originals = {row: text.row(row).decode("utf-8", "surrogateescape") for row in np.flatnonzero(found).tolist()}
    if not originals:
        return text, originals
    rows = [
        HYPHEN.sub("-", originals[row].translate(PLAIN)).encode("utf-8", "surrogateescape")
        if row in originals
        else text.row(row)
        for row in range(text.rows)
    ]
    return Ragged.from_strings(rows), originals


class Positions:
    """Bytes of an original by those of its copy, asked in ascending order."""

    def __init__(self, original: str, copy: bytes):
        self.original, self.copy = original, copy
        self.character = self.byte = self.copy_byte = 0

    def of(self, at: int) -> int:
        """Return the byte of the original that corresponds to byte ``at`` of the copy."""
        begin = self.character
        self.character += len(self.copy[self.copy_byte : at].decode("utf-8", "surrogateescape"))
        self.byte += len(self.original[begin : self.character].encode("utf-8", "surrogateescape"))
        self.copy_byte = at
        return self.byte


@kernel
def _examine(offsets, data, found):
    for i in range(offsets.size - 1):
        low, high = offsets[i], offsets[i + 1]
        k, digits = low + 1, 0
        while k < high and digits < MIN_DIGITS:
            if k + 16 <= high and (load_u64(data, k) | load_u64(data, k + 8)) & NON_ASCII == 0:
                k += 16
                continue
            for at in range(k, min(high, k + 16)):
                common = LAST[data[at]] & BEFORE[data[at - 1]]
                if common:
                    digits += _weight(data, low, at, high, common)
            k += 16
        found[i] = digits >= MIN_DIGITS


@kernel
def _weight(data, low, at, high, common):
    """Return 1 for a digit that ends at ``at``; MIN_DIGITS for "＠", "（at" or a wide mark between digits; else 0."""
    lead = data[at - 1]
    if lead >= 0xC0:
        return 1
    if at - 2 < low or not IS_LEAD[data[at - 2], lead]:
        return 0
    if common & (WIDE_MARK | WIDE_AT):
        marked = at - 3 >= low and IS_DIGIT[data[at - 3]] and at + 1 < high and IS_DIGIT[data[at + 1]]
        marked |= at + 2 < high and data[at + 1] | 0x20 == 0x61 and data[at + 2] | 0x20 == 0x74
        return MIN_DIGITS if marked or common & WIDE_AT else 0
    return 1
