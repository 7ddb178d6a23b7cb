"""Character classes of datatrove: letters, marks, ends of sentences."""

import unicodedata
from functools import cache

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.kernels.utf8 import decode, two_level_table

# Bits of a character: str.isalpha; one of datatrove's PUNCTUATION_SET; Unicode's category P, spaCy's is_punct; ends a
# sentence for spaCy; str.isdecimal, which a regular expression writes \d.
ALPHA, MARK, PUNCT, ENDS, DECIMAL = 1, 2, 4, 8, 16

# datatrove's PUNCTUATION. With its TERMINALS and the control characters, these are no part of words.
PUNCTUATION = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"
# datatrove's TERMINAL_PUNCTUATION: the first 128 are also those at which spaCy's sentencizer ends a sentence.
SENTENCE_ENDS = (
    "!.?\u0589\u061f\u06d4\u0700\u0701\u0702\u07f9\u0964\u0965\u104a\u104b\u1362\u1367\u1368\u166e\u1735\u1736"
    "\u1803\u1809\u1944\u1945\u1aa8\u1aa9\u1aaa\u1aab\u1b5a\u1b5b\u1b5e\u1b5f\u1c3b\u1c3c\u1c7e\u1c7f\u203c\u203d"
    "\u2047\u2048\u2049\u2e2e\u2e3c\u3002\ua4ff\ua60e\ua60f\ua6f3\ua6f7\ua876\ua877\ua8ce\ua8cf\ua92f\ua9c8\ua9c9"
    "\uaa5d\uaa5e\uaa5f\uaaf0\uaaf1\uabeb\ufe52\ufe56\ufe57\uff01\uff0e\uff1f\uff61\U00010a56\U00010a57\U00011047"
    "\U00011048\U000110be\U000110bf\U000110c0\U000110c1\U00011141\U00011142\U00011143\U000111c5\U000111c6"
    "\U000111cd\U000111de\U000111df\U00011238\U00011239\U0001123b\U0001123c\U000112a9\U0001144b\U0001144c"
    "\U000115c2\U000115c3\U000115c9\U000115ca\U000115cb\U000115cc\U000115cd\U000115ce\U000115cf\U000115d0"
    "\U000115d1\U000115d2\U000115d3\U000115d4\U000115d5\U000115d6\U000115d7\U00011641\U00011642\U0001173c"
    "\U0001173d\U0001173e\U00011a42\U00011a43\U00011a9b\U00011a9c\U00011c41\U00011c42\U00016a6e\U00016a6f"
    "\U00016af5\U00016b37\U00016b38\U00016b44\U0001bc9f\U0001da88"
)
MORE_TERMINALS = (
    "\u061d\u061e\u0837\u0839\u083d\u083e\u17d4\u17d5\u17d6\u17d9\u17da\u1b7d\u1b7e\u2e53\u2e54\U00010f55"
    "\U00010f56\U00010f57\U00010f58\U00010f59\U00010f86\U00010f87\U00010f88\U00010f89\U00011944\U00011946"
    "\U00011ef7\U00011ef8\U00011f43\U00011f44\U00016e98"
)
TERMINALS = SENTENCE_ENDS + MORE_TERMINALS
CONTROLS = [*range(0, 9), *range(11, 32), *range(127, 160)]  # without \t and \n


PLANES = 0x40000  # no letter, digit or mark lies beyond the first four planes of Unicode


@cache
def characters() -> tuple[np.ndarray, np.ndarray]:
    """Return the bits of every character as a two-level table: block numbers, blocks.

    datatrove and spaCy use the Unicode version of the running Python, and so does this table.
    """
    bits = np.zeros(0x110000, np.uint8)
    for code in range(PLANES):
        char = chr(code)
        kind = unicodedata.category(char)
        if kind[0] == "L":
            bits[code] = ALPHA
        elif kind[0] == "P":
            bits[code] = PUNCT
        elif kind == "Nd":
            bits[code] = DECIMAL
    bits[[*map(ord, PUNCTUATION + TERMINALS), *CONTROLS]] |= MARK
    bits[[*map(ord, SENTENCE_ENDS)]] |= ENDS
    return two_level_table(bits)


@inline_kernel
def bits_of(code, numbers, blocks):
    """Return the bits of a character."""
    return blocks[np.int64(numbers[code >> 8]) * 256 + (code & 255)]


@kernel
def is_word(data, begin, end, numbers, blocks):
    """Return whether a word contains a character that is no mark, and whether it contains a letter."""
    at, word, alpha = np.int64(begin), False, False
    while at < end:
        code, size = decode(data, at, end)
        bits = bits_of(code, numbers, blocks)
        word |= bits & MARK == 0
        alpha |= bits & ALPHA != 0
        if word and alpha:
            break
        at += size
    return word, alpha


@kernel
def all_bits(data, begin, end, numbers, blocks):
    """Return the bits that all characters of a word have."""
    at, bits = np.int64(begin), 255
    while at < end and bits:
        code, size = decode(data, at, end)
        bits &= bits_of(code, numbers, blocks)
        at += size
    return bits
