"""Characters in UTF-8: decode them, say of which class they are, lower them. All for use inside kernels.

Classes are of Unicode 16.0 whatever the Python (pipelines/kernels/unicode_tables.py), so words and hashes stay the same
between machines. Tables are in two stages, a block number for each 256 code points and the blocks that differ:
with 40 KB they stay in the processor's cache, where one flat table would take 1.1 MB.
"""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.kernels.unicode_tables import CLASSES, LOWER_SHIFTS

OTHER = 0  # control, format, private and unassigned code points, and what is no character at all
SPACE = 1  # white space and line breaks, with the invisible U+200B and U+FEFF
LOWER = 2  # lower-case letters
UPPER = 3  # upper- and title-case letters
LETTER = 4  # letters without case
MARK = 5  # combining marks
DIGIT = 6  # decimal digits
NUMBER = 7  # other numbers: Ⅷ, ½
PUNCTUATION = 8
SYMBOL = 9  # currency, mathematics, arrows, emoji
HAN = 10
HIRAGANA = 11
KATAKANA = 12
HANGUL = 13
UNSPACED = 14  # letters of Thai, Lao, Khmer, Myanmar, Tibetan, written without spaces between words
INVALID = 0xFFFD  # what a byte that belongs to no character decodes to


def two_level_table(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A value for each of 0x110000 code points -> the block number of each 256, and the distinct blocks end to end."""
    numbers: dict[bytes, int] = {}  # block -> its number; np.unique(axis=0) took 1.2 s of every start for this
    places = [numbers.setdefault(block.tobytes(), len(numbers)) for block in values.reshape(-1, 256)]
    places = np.frombuffer(bytes(places), np.uint8)  # read-only, as the other is
    return places, np.frombuffer(b"".join(numbers), values.dtype)


def expand_runs(runs: str, kind: type) -> np.ndarray:
    """Run lengths -> a value for each code point."""
    pairs = [(run if ":" in run else f"1:{run}").split(":") for run in runs.split()]
    lengths, values = np.array(pairs, np.int64).T
    return np.repeat(values.astype(kind), lengths)


CLASS_BLOCK, CLASS = two_level_table(expand_runs(CLASSES, np.uint8))
ASCII = CLASS[int(CLASS_BLOCK[0]) * 256 :][:128]
LOWER_BLOCK, LOWER_SHIFT = two_level_table(expand_runs(LOWER_SHIFTS, np.int32))


@inline_kernel
def character_class(code):
    """The class of a code point."""
    return CLASS[CLASS_BLOCK[code >> 8] * 256 + (code & 255)]


@inline_kernel
def lower(code):
    """The simple lower case of a code point: one character for one character."""
    return code + LOWER_SHIFT[LOWER_BLOCK[code >> 8] * 256 + (code & 255)]


@kernel
def decode(data, at, stop):
    """uint8 data -> the code point at ``at`` and how many bytes it takes; INVALID and 1 where none begins.

    Never reads at or beyond ``stop``. Overlong forms, surrogates and numbers above U+10FFFF are invalid.
    """
    byte = np.int64(data[at])
    if byte < 0x80:
        return byte, 1
    if byte < 0xC2 or byte > 0xF4:
        return INVALID, 1
    size = 2 + (byte >= 0xE0) + (byte >= 0xF0)
    if at + size > stop:
        return INVALID, 1
    code = byte & (0x7F >> size)
    for i in range(1, size):
        byte = np.int64(data[at + i])
        if byte & 0xC0 != 0x80:
            return INVALID, 1
        code = code << 6 | byte & 0x3F
    if (size == 3 and (code < 0x800 or 0xD800 <= code < 0xE000)) or (size == 4 and not 0x10000 <= code < 0x110000):
        return INVALID, 1
    return code, size


@kernel
def encode(code, out, at):
    """Write a code point to uint8 ``out`` from ``at`` on and return the place after it."""
    if code < 0x80:
        out[at] = code
        return at + 1
    if code < 0x800:
        out[at] = 0xC0 | code >> 6
        out[at + 1] = 0x80 | code & 0x3F
        return at + 2
    if code < 0x10000:
        out[at] = 0xE0 | code >> 12
        out[at + 1] = 0x80 | code >> 6 & 0x3F
        out[at + 2] = 0x80 | code & 0x3F
        return at + 3
    out[at] = 0xF0 | code >> 18
    out[at + 1] = 0x80 | code >> 12 & 0x3F
    out[at + 2] = 0x80 | code >> 6 & 0x3F
    out[at + 3] = 0x80 | code & 0x3F
    return at + 4
