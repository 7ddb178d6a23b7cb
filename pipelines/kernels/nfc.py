"""Characters that composition (NFC) may change: text without them needs no look by a library."""

from functools import cache

import numpy as np
import polars as pl

from gristmill.pipelines.kernels.utf8 import CLASS, CLASS_BLOCK, MARK


@cache
def nfc_unstable() -> np.ndarray:
    """Return bool[0x110000] by code point: True for a character that NFC may change, alone or after another."""
    codes = np.r_[0x300:0xD800, 0xE000:0x30000]  # NFC changes no character below or above
    chars = pl.Series("char", [chr(code) for code in codes])
    table = np.zeros(0x110000, np.bool_)
    table[codes] = (chars.str.normalize("NFC") != chars).to_numpy()
    table[codes] |= CLASS[CLASS_BLOCK[codes >> 8].astype(np.int64) * 256 + (codes & 255)] == MARK
    table[0x1160:0x1200] = True  # Hangul vowels and final consonants compose with the consonant before
    return table
