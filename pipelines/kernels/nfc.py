"""Quick check of composition (NFC): text that passes needs no look by a library (Unicode Standard Annex 15, section 9).

Text is in NFC if it has no unstable character, and no mark follows one of a higher combining class.
"""

import hashlib
import unicodedata
from functools import cache

import numpy as np
import polars as pl

from gristmill.pipelines.kernels.array_cache import mapped_arrays
from gristmill.pipelines.kernels.utf8 import CLASS, CLASS_BLOCK, MARK
from gristmill.pipelines.sources import state

UNSTABLE = np.uint8(255)  # no combining class: the highest is 240


@cache
def nfc_classes() -> np.ndarray:
    """Return uint8[0x110000] by code point: UNSTABLE, or the combining class of a mark, or 0.

    NFC changes unstable characters alone, or joins them to one before. Marks that Python does not know are unstable.
    """
    key = unicodedata.unidata_version, pl.__version__, state(__file__)
    return mapped_arrays(f"nfc-{hashlib.sha256(repr(key).encode()).hexdigest()[:32]}", _classify)["classes"]


def _classify() -> dict[str, np.ndarray]:
    codes = np.r_[0xC0:0xD800, 0xE000:0x30000]  # no character below or above has to do with NFC
    characters = [chr(code) for code in codes]
    column = pl.Series(characters)
    table = np.zeros(0x110000, np.uint8)
    table[codes] = [unicodedata.combining(character) for character in characters]
    marks = codes[CLASS[CLASS_BLOCK[codes >> 8].astype(np.int64) * 256 + (codes & 255)] == MARK]
    table[[code for code in marks if unicodedata.category(chr(code)) == "Cn"]] = UNSTABLE
    table[codes[(column.str.normalize("NFC") != column).to_numpy()]] = UNSTABLE
    joined = column.str.normalize("NFD")
    table[[ord(second) for second in joined.filter(joined.str.len_chars() == 2).str.slice(1)]] = UNSTABLE
    table[0x1160:0x1200] = UNSTABLE  # Hangul vowels and final consonants compose with the consonant before
    return {"classes": table}


@cache
def nfc_unstable() -> np.ndarray:
    """Return bool[0x110000] by code point: True for a character that NFC may change, alone or beside another."""
    return nfc_classes() > 0
