"""Shape of source files: bytes that are letters and digits, numbers, and encoded data; the longest line.

A *number* is a run of letters, digits and underscores that begins with a digit ("12", "0x1F", "1e5"), that has at least
four characters, all hexadecimal digits and one of them 0-9 ("00e9", "deadbeef" is none), or two after ``\\x``.
*Encoded* is a run of at least ENCODED bytes of the base64 alphabet with a digit among them: keys, images, hashes.
"""

from typing import NamedTuple

import numpy as np

from gristmill.filters.text.code_lines import IS_WORD
from gristmill.filters.text.lines import Lines
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged

ENCODED = 64  # StarCoder 2's shortest run of base64
IS_ALPHANUMERIC = np.array([chr(byte).isalnum() for byte in range(128)] + [True] * 128)
IS_DIGIT = np.array([0x30 <= byte <= 0x39 for byte in range(256)])
IS_HEX = np.array([chr(byte) in "0123456789abcdefABCDEF" for byte in range(256)])
IS_BASE64 = np.array([byte < 128 and (chr(byte).isalnum() or chr(byte) in "+/=") for byte in range(256)])


class CodeShape(NamedTuple):
    """Bytes of each document, int64[n] each."""

    black: np.ndarray  # without white space
    alphanumeric: np.ndarray  # letters and digits, and all bytes above ASCII
    numbers: np.ndarray
    encoded: np.ndarray
    longest_line: np.ndarray


def measure_shape(text: Ragged, lines: Lines, wanted: np.ndarray) -> CodeShape:
    """Return the shape of the documents marked in ``wanted`` bool[n]; 0 in each field for the others."""
    counts = np.zeros((5, text.rows), np.int64)
    _measure(*text, *lines, wanted, counts)
    return CodeShape(*counts)


@kernel
def _measure(offsets, data, first, start, end, wanted, counts):
    for i in range(offsets.size - 1):
        if not wanted[i]:
            continue
        longest = 0
        for j in range(first[i], first[i + 1]):
            longest = max(longest, end[j] - start[j])
        counts[4, i] = longest
        black = alphanumeric = numbers = encoded = 0
        word = base64 = offsets[i]  # where the current runs begin
        for at in range(offsets[i], offsets[i + 1] + 1):
            byte = data[at] if at < offsets[i + 1] else 0x20
            if not IS_WORD[byte]:
                if at > word and _is_number(data, word, at, offsets[i]):
                    numbers += at - word
                word = at + 1
            if not IS_BASE64[byte]:
                if at - base64 >= ENCODED and _has_digit(data, base64, at):
                    encoded += at - base64
                base64 = at + 1
            black += byte > 0x20
            alphanumeric += IS_ALPHANUMERIC[byte]
        counts[0, i], counts[1, i], counts[2, i], counts[3, i] = black, alphanumeric, numbers, encoded


@kernel
def _is_number(data, begin, end, first):
    if IS_DIGIT[data[begin]]:
        return True
    escaped = end - begin == 3 and data[begin] == ord("x") and begin > first and data[begin - 1] == ord("\\")
    if not escaped and end - begin < 4:
        return False
    for at in range(begin + escaped, end):
        if not IS_HEX[data[at]]:
            return False
    return escaped or _has_digit(data, begin, end)


@inline_kernel
def _has_digit(data, begin, end):
    for at in range(begin, end):
        if IS_DIGIT[data[at]]:
            return True
    return False
