"""What each character is to a shingle: its lower-case letter, nothing, or a letter of a script without spaces."""

import sys
from functools import cache

import numpy as np

SPACELESS = np.uint32(1 << 31)  # flag beside the letter
SCRIPTS = (  # written without spaces between words
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),
    (0x20000, 0x323AF),
)


@cache
def letters() -> np.ndarray:
    r"""uint32[0x110000]: the lower-case letter of each ``\w`` character with its SPACELESS flag, 0 for all others."""
    table = np.zeros(sys.maxunicode + 1, np.uint32)
    for code in range(sys.maxunicode + 1):
        letter = chr(code)
        if letter.isalnum() or letter == "_":
            table[code] = ord(letter.lower()[0])
    table[ord("ς")] = ord("σ")
    for first, last in SCRIPTS:
        table[first : last + 1] |= np.where(table[first : last + 1] > 0, SPACELESS, np.uint32(0))
    table.flags.writeable = False
    return table
