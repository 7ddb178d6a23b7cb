"""Write ``unicode_tables.py`` and ``sentence_table.py``: Unicode 16.0 as run lengths, the same under any Python.

    python -m tools.make_unicode_tables

Needs ``unicodedata2==16.0.0`` (a development dependency): Python 3.11 has Unicode 14, and newer ones differ. It has no
Sentence_Break: that of its characters comes from ``regex``.
"""

from itertools import groupby
from pathlib import Path
from textwrap import wrap

import regex
import unicodedata2 as unicode

from gristmill.filters.text.sentence_kinds import BLANK, CLOSER, CONTEXT, NONE, SKIPPED, TERMINAL, WIDE_TERMINAL
from gristmill.pipelines.kernels.utf8 import (
    DIGIT,
    HAN,
    HANGUL,
    HIRAGANA,
    KATAKANA,
    LETTER,
    LOWER,
    MARK,
    NUMBER,
    OTHER,
    PUNCTUATION,
    SPACE,
    SYMBOL,
    UNSPACED,
    UPPER,
)

ROOT = Path(__file__).resolve().parents[1]
CODE_POINTS = 0x110000
WHITE = {*"\t\n\v\f\r\x1c\x1d\x1e\x1f\x85", "\u200b", "\ufeff"}  # and all of category Z
CATEGORY = {"Ll": LOWER, "Lu": UPPER, "Lt": UPPER, "Lo": LETTER, "Lm": LETTER, "Nd": DIGIT}
MAJOR = {"Z": SPACE, "M": MARK, "N": NUMBER, "P": PUNCTUATION, "S": SYMBOL, "C": OTHER}
SCRIPT = {  # by the first words of a letter's name
    "CJK": HAN,
    "IDEOGRAPHIC": HAN,
    "HIRAGANA": HIRAGANA,
    "KATAKANA": KATAKANA,
    "KATAKANA-HIRAGANA": KATAKANA,
    "HALFWIDTH KATAKANA": KATAKANA,
    "HALFWIDTH KATAKANA-HIRAGANA": KATAKANA,
    "HANGUL": HANGUL,
    "HALFWIDTH HANGUL": HANGUL,
    "THAI": UNSPACED,
    "LAO": UNSPACED,
    "KHMER": UNSPACED,
    "MYANMAR": UNSPACED,
    "TIBETAN": UNSPACED,
    "CHEROKEE": LETTER,  # has small letters since Unicode 8, but is written in capitals
}

UNSPACED_SCRIPTS = [  # with sentence marks, and with no space that must follow one
    *("Balinese", "Buginese", "Cham", "Ethiopic", "Javanese", "Khmer", "Myanmar", "New_Tai_Lue", "Tai_Le", "Tai_Tham"),
    "Tibetan",
]
TIBETAN_SHADS = "\u0f0d\u0f0e\u0f0f\u0f10\u0f11\u0f12\u0f14"
MORE_TERMINALS = f"{TIBETAN_SHADS}\u037e"  # which Unicode leaves to a dictionary, and the Greek question mark
OF_PLAIN_TEXT = "*_`"  # close bold text and quotations
BY_SCRIPT = ":;\u1361"  # Armenian ":", Greek ";", two Ethiopic word separators


def character_class(code: int) -> int:
    """Return the class of a code point, as named in pipelines/kernels/utf8.py."""
    character = chr(code)
    if character in WHITE:
        return SPACE
    category = unicode.category(character)
    if category[0] == "L" or category == "Nl":
        words = unicode.name(character, "").split(" ")
        for script in (words[0], " ".join(words[:2])):
            if script in SCRIPT:
                return SCRIPT[script]
    return CATEGORY.get(category) or MAJOR[category[0]]


def lower_shift(code: int) -> int:
    """Return how far the simple lower case lies from a code point."""
    if code in SINCE_14:
        return SINCE_14[code] - code
    lower = "i" if code == 0x130 else chr(code).lower()  # İ lowers to two characters in full, to i simply
    return ord(lower) - code


def sentence_kind(code: int) -> int:
    """Return what a code point is at the end of a sentence, as named in filters/text/sentence_kinds.py."""
    character = chr(code)
    if unicode.category(character) in ("Cn", "Cs"):
        return NONE
    if character in BY_SCRIPT:
        return CONTEXT
    if character in MORE_TERMINALS or regex.match(r"[\p{SB=STerm}\p{SB=ATerm}]", character):
        unspaced = regex.match("|".join(rf"\p{{Script={script}}}" for script in UNSPACED_SCRIPTS), character)
        return WIDE_TERMINAL if unspaced or unicode.east_asian_width(character) in "WFH" else TERMINAL
    if character in OF_PLAIN_TEXT or regex.match(r"[\p{SB=Close}--\p{Ps}]", character, regex.V1):
        return CLOSER
    if code <= 0x20 or regex.match(r"[\p{SB=Sp}\p{SB=Sep}]", character):
        return BLANK
    return SKIPPED if regex.match(r"[\p{SB=Extend}\p{SB=Format}]", character) else NONE


# The pairs that Unicode 15 and 16 added to those Python 3.11 knows: Latin Extended-D and Garay.
SINCE_14 = {0xA7CB: 0x264, 0xA7CC: 0xA7CD, 0xA7DA: 0xA7DB, 0xA7DC: 0x19B}
SINCE_14 |= {code: code + 32 for code in range(0x10D50, 0x10D66)}


def runs(values: list[int]) -> str:
    """Return ``length:value`` for each run of equal values; the value alone where the length is 1."""
    counted = [(len(list(group)), value) for value, group in groupby(values)]
    text = " ".join(f"{length}:{value}" if length > 1 else str(value) for length, value in counted)
    return "\n".join(wrap(text, 118, break_on_hyphens=False))


def main() -> None:
    classes = [character_class(code) for code in range(CODE_POINTS)]
    shifts = [lower_shift(code) for code in range(CODE_POINTS)]
    (ROOT / "pipelines" / "kernels" / "unicode_tables.py").write_text(
        f'"""Unicode {unicode.unidata_version}, made by tools/make_unicode_tables.py; not to be edited."""\n\n'
        f'# Class of each code point (names in utf8.py), as "run length:class".\n'
        f'CLASSES = """\n{runs(classes)}\n"""\n\n'
        f'# Simple lower case minus code point, likewise.\nLOWER_SHIFTS = """\n{runs(shifts)}\n"""\n',
        "utf-8",
    )
    kinds = [sentence_kind(code) for code in range(CODE_POINTS)]
    (ROOT / "filters" / "text" / "sentence_table.py").write_text(
        f'"""Unicode {unicode.unidata_version}, made by tools/make_unicode_tables.py; not to be edited."""\n\n'
        f'# Kind of each code point at the end of a sentence (names in sentence_kinds.py), as "run length:kind".\n'
        f'KINDS = """\n{runs(kinds)}\n"""\n',
        "utf-8",
    )


if __name__ == "__main__":
    main()
