"""UTF-8 characters inside kernels: decoding, encoding, character class, lower case.

Classes are those of Unicode 16.0 under any Python (unicode_tables.py), so words and hashes are equal on all machines.
Tables have two levels, a block number per 256 code points and the distinct blocks. Their 40 KB stay in the
processor's cache; one flat table would take 1.1 MB.
"""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.kernels.unicode_tables import CLASSES, LOWER_SHIFTS

OTHER = 0  # control, format, private and unassigned code points, and invalid bytes
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
INVALID = 0xFFFD  # code point of an invalid byte


def two_level_table(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the block number per 256 code points, and the distinct blocks end to end, of a value per code point."""
    rows, numbers = values.reshape(-1, 256), {}  # type: ignore[var-annotated]
    begins = np.flatnonzero(np.append(True, (rows[1:] != rows[:-1]).any(axis=1)))  # of runs of equal blocks
    found = [numbers.setdefault(block.tobytes(), len(numbers)) for block in rows[begins]]
    blocks = np.repeat(np.array(found, np.uint8), np.diff(begins, append=len(rows)))
    return np.frombuffer(blocks.tobytes(), np.uint8), np.frombuffer(b"".join(numbers), values.dtype)


def expand_runs(runs: str, kind: type) -> np.ndarray:
    """Expand "length:value" runs to an array of one value per code point."""
    pairs = " ".join([run if ":" in run else f"1:{run}" for run in runs.split()]).replace(":", " ")
    lengths, values = np.fromstring(pairs, np.int64, sep=" ").reshape(-1, 2).T
    return np.repeat(values.astype(kind), lengths)


CLASS_BLOCK, CLASS = two_level_table(expand_runs(CLASSES, np.uint8))
ASCII = CLASS[int(CLASS_BLOCK[0]) * 256 :][:128]
LOWER_BLOCK, LOWER_SHIFT = two_level_table(expand_runs(LOWER_SHIFTS, np.int32))


@inline_kernel
def character_class(code):
    """Return the class of a code point."""
    return CLASS[CLASS_BLOCK[code >> 8] * 256 + (code & 255)]


@inline_kernel
def lower(code):
    """Return the simple lower case of a code point, which is one code point."""
    return code + LOWER_SHIFT[LOWER_BLOCK[code >> 8] * 256 + (code & 255)]


@kernel
def decode(data, at, stop):
    """Return the code point at ``at`` of uint8 data and its number of bytes; INVALID and 1 if none begins there.

    Reads nothing at or beyond ``stop``. Overlong forms, surrogates and numbers above U+10FFFF are invalid.
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
    """Write a code point to uint8 ``out`` at ``at`` and return the index after it."""
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
