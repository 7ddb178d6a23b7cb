"""Characters counted by what they are: letters, capitals, consonants in a row, and what a wrong decoder left behind."""

import unicodedata
from typing import NamedTuple

import numpy as np

from pipelines.bits import inlined, kernel
from pipelines.ragged import Ragged
from pipelines.utf8 import HAN, INVALID, LOWER, MARK, SPACE, UPPER, character_class, decode

CLUMP = 5  # consonants in a row; "Rechtsschutz" and "strength" have up to 7, but few words do
LAST_LATIN = 0x24F
LAST_CASED = 0x58F  # Latin, Greek, Cyrillic, Armenian; Cherokee beyond is written in what Unicode calls capitals
LOW, HIGH = np.uint64(0xFFFFFFFF), np.uint64(32)


class Letters(NamedTuple):
    """Characters of each document, int64[n] each."""

    characters: np.ndarray  # all but white space
    letters: np.ndarray  # with the combining marks
    capitals: np.ndarray
    clumped: np.ndarray  # Latin letters in runs of CLUMP and more consonants
    garbled: np.ndarray  # see ``garbled_length``; control and replacement characters


def count_letters(text: Ragged) -> Letters:
    counts = np.zeros((5, text.rows), np.int64)
    _count(*text, counts)
    return Letters(*counts)


def _is_vowel(letter: str) -> bool:
    return unicodedata.normalize("NFD", letter)[0].lower() in "aeiouyæœøıəǝɛɔ"


IS_CONSONANT = np.array([chr(c).isalpha() and not _is_vowel(chr(c)) for c in range(LAST_LATIN + 1)])

# What an ASCII character adds to characters, letters, capitals and garbled, two counts of 32 bits in each word, so
# that one load and one addition serve two: 1.6 times as fast. Control characters but \t \n \v \f \r ESC and the
# separators are garbled.
ADDS = np.zeros((128, 2), np.uint64)
for code in range(128):
    letter, capital, control = chr(code).isalpha(), chr(code).isupper(), code < 9 or 13 < code < 27 or code == 127
    ADDS[code] = (not chr(code).isspace()) | letter << 32, capital | control << 32
# A window of the last consonants, one bit a character, to how many letters have just been found to be in a clump.
WINDOW = 2 << CLUMP
CLUMPED = np.array(
    [(0, 1, CLUMP)[(w % (WINDOW // 2) == WINDOW // 2 - 1) * (1 + (w < WINDOW // 2))] for w in range(WINDOW)]
)

# The byte a character of Windows-1252 or Latin-1 stands for; 0 for none.
BYTE_OF = np.zeros(0x2123, np.uint8)
BYTE_OF[0x80:0x100] = np.arange(0x80, 0x100)
for byte in range(0x80, 0xA0):
    if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D):  # Windows-1252 has no character there
        BYTE_OF[ord(bytes([byte]).decode("cp1252"))] = byte


@kernel
def _count(offsets, data, counts):
    for i in range(offsets.size - 1):
        at, stop = offsets[i], offsets[i + 1]
        characters = letters = capitals = clumped = garbled = 0
        first = second = np.uint64(0)
        window = 0
        while at < stop:
            byte = data[at]
            if byte < 0x80:
                at += 1
                first += ADDS[byte, 0]
                second += ADDS[byte, 1]
                window = (window << 1 | IS_CONSONANT[byte]) & (WINDOW - 1)
                clumped += CLUMPED[window]
                continue
            code, size = decode(data, at, stop)
            kind = character_class(code)
            characters += kind != SPACE
            letters += is_letter(kind)
            capitals += kind == UPPER and code <= LAST_CASED
            garbled += garbled_length(data, at, stop, code, size)
            if kind != MARK:
                window = (window << 1 | (code <= LAST_LATIN and IS_CONSONANT[code])) & (WINDOW - 1)
                clumped += CLUMPED[window]
            at += size
        counts[0, i], counts[1, i] = characters + np.int64(first & LOW), letters + np.int64(first >> HIGH)
        counts[2, i], counts[3, i] = capitals + np.int64(second & LOW), clumped
        counts[4, i] = garbled + np.int64(second >> HIGH)


@inlined
def is_letter(kind):
    return LOWER <= kind <= MARK or kind >= HAN


@kernel
def garbled_length(data, at, stop, code, size):
    """How many characters from ``at`` on are one character of UTF-8 that was read byte by byte: 3 in "â€™".

    The replacement character is 1, and so is a control character of 0x80-0x9F outside of such a sequence: both count
    where they stand. So does, again, each of the latter inside one, which only speaks the louder.
    """
    if code == INVALID or 0x80 <= code < 0xA0:
        return 1 if code != 0x85 else 0
    if code < 0xC2 or code > 0xF4:
        return 0
    follow = 1 + (code >= 0xE0) + (code >= 0xF0)
    for _ in range(follow):
        at += size
        if at >= stop:
            return 0
        code, size = decode(data, at, stop)
        if code >= BYTE_OF.size or not 0x80 <= BYTE_OF[code] < 0xC0:
            return 0
    return 1 + follow
