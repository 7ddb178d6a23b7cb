r"""Letters of shingles: each ``\w`` character in lower case, with a flag for scripts without spaces."""

from functools import cache

import numpy as np

from gristmill.pipelines.kernels import utf8

SPACELESS, MARK = np.uint32(1 << 31), np.uint32(1 << 30)  # flags beside the letter
SCRIPTS = (utf8.HAN, utf8.HIRAGANA, utf8.KATAKANA, utf8.UNSPACED)
MARKS = (utf8.PUNCTUATION, utf8.SYMBOL)
LETTERS = (utf8.LOWER, utf8.UPPER, utf8.LETTER, utf8.DIGIT, utf8.NUMBER, utf8.HANGUL, *SCRIPTS)


@cache
def letters() -> np.ndarray:
    r"""Return uint32[0x110000]: the lower-case letter of each ``\w`` character with its SPACELESS flag, else 0.

    Both small sigmas map to one, so ΟΔΟΣ, οδος and οδοσ are the same word.
    """
    code = np.arange(0x110000)
    of_class = utf8.CLASS[utf8.CLASS_BLOCK[code >> 8].astype(np.int64) * 256 + (code & 255)]
    lower = code + utf8.LOWER_SHIFT[utf8.LOWER_BLOCK[code >> 8].astype(np.int64) * 256 + (code & 255)]
    lower[lower == ord("ς")] = ord("σ")
    table = np.where(np.isin(of_class, LETTERS) | (code == ord("_")), lower, 0).astype(np.uint32)
    table |= np.where(np.isin(of_class, SCRIPTS), SPACELESS, np.uint32(0))
    table.flags.writeable = False
    return table


@cache
def letters_and_marks() -> np.ndarray:
    """Return `letters` with each mark of punctuation and each symbol, and its MARK flag."""
    code = np.arange(0x110000)
    of_class = utf8.CLASS[utf8.CLASS_BLOCK[code >> 8].astype(np.int64) * 256 + (code & 255)]
    marks = np.isin(of_class, MARKS) & (letters() == 0)
    table = np.where(marks, code.astype(np.uint32) | MARK, letters()).astype(np.uint32)
    table.flags.writeable = False
    return table
