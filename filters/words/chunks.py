"""Words of a chunk, the text between white space, by the rules of filters/words/unicode_words.py."""

import numpy as np

from gristmill.filters.words.affixes import (
    IS_INVISIBLE,
    JOINER,
    character,
    is_address,
    split_contraction,
    split_infix,
    split_prefix,
    split_suffix,
)
from gristmill.filters.words.words import CAPITALS, ELLIPSIS, HAS_LETTER, HAS_NUMBER, PUNCTUATION_ONLY
from gristmill.pipelines.kernels.hashing import U64, load_short
from gristmill.pipelines.kernels.intrinsics import contains, inline_kernel, kernel
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
    SYMBOL,
    UNSPACED,
    UPPER,
)

DOTS, WIDE_DOTS = (U64(int.from_bytes(dots.encode(), "little")) for dots in ("...", "…"))
# Vowels written before their consonant, and signs that stack the next one: the next character belongs to them.
LEADS = np.array([*range(0xE40, 0xE45), *range(0xEC0, 0xEC5), 0x17D2, 0x1039])
TRAILS = np.array([0xE30, 0xE32, 0xE33, 0xE45, 0xEB0, 0xEB2, 0xEB3])  # vowels that are letters, after their consonant

# Flags that a character adds to its word and to the core of its chunk, by class.
LOWERCASE, UPPERCASE, OPAQUE = 32, 64, 128  # a lower-case letter; an upper-case letter; no punctuation
MARKED, WIDE = 256, 512  # punctuation, a symbol or a script without spaces; beyond ASCII
FLAGS = np.zeros(16, np.int64)
FLAGS[[LOWER, UPPER, LETTER, HAN, HIRAGANA, KATAKANA, HANGUL, UNSPACED]] = HAS_LETTER | OPAQUE
FLAGS[LOWER] |= LOWERCASE
FLAGS[UPPER] |= UPPERCASE
FLAGS[[DIGIT, NUMBER]] = HAS_NUMBER | OPAQUE
FLAGS[[MARK, SYMBOL]] = OPAQUE
FLAGS[[HAN, HIRAGANA, KATAKANA, UNSPACED, PUNCTUATION, SYMBOL]] |= MARKED
PLAIN, ALONE, MARKS = 1, 2, 3  # kinds of words, besides KATAKANA and UNSPACED


@kernel
def add_chunk(data, begin, stop, m, start, end, lengths, flags):
    """Append the words of the chunk ``data[begin:stop]`` to ``m`` words, and return the new number of words."""
    core, tail = split_prefix(data, begin, stop), stop
    if core > begin:
        m = _put_marks(data, begin, core, m, start, end, lengths, flags)
    if core < stop:
        tail = split_suffix(data, core, stop)
    if core < tail:
        length, found = _scan_core(data, core, tail)
        if not found & MARKED or (not found & WIDE and is_address(data, core, tail)):
            m = _put(data, core, tail, length, found, m, start, end, lengths, flags)
        else:
            cut = split_contraction(data, core, tail)
            m = _put_core(data, core, cut, m, start, end, lengths, flags)
            if cut < tail:
                m = _put_core(data, cut, tail, m, start, end, lengths, flags)
    if tail < stop:
        m = _put_marks(data, tail, stop, m, start, end, lengths, flags)
    return m


@kernel
def add_word(data, begin, stop, m, start, end, lengths, flags):
    """Append ``data[begin:stop]`` as one word, and return the new number of words."""
    length, found = _scan_core(data, begin, stop)
    return _put(data, begin, stop, length, found, m, start, end, lengths, flags)


@inline_kernel
def _put(data, begin, stop, length, found, m, start, end, lengths, flags):
    """Append the word ``data[begin:stop]``; ``found`` are the flags of its characters."""
    flag = found & (HAS_LETTER | HAS_NUMBER)
    if found & UPPERCASE and not found & LOWERCASE:
        flag |= CAPITALS
    if not found & OPAQUE:
        flag |= PUNCTUATION_ONLY
        if stop - begin > 2 and (load_short(data, begin, 3) == DOTS or load_short(data, begin, 3) == WIDE_DOTS):
            flag |= ELLIPSIS
    start[m], end[m], lengths[m], flags[m] = begin, stop, length, flag
    return m + 1


@inline_kernel
def _word_flags(code, kind):
    return MARKED if code < 128 and kind == SYMBOL else FLAGS[kind]


@kernel
def _scan_core(data, begin, stop):
    """Return the number of characters of a core, and their flags."""
    at, length, found = begin, 0, 0
    while at < stop:
        code, size, kind = character(data, at, stop)
        found |= _word_flags(code, kind) | (WIDE if size > 1 or code > 127 else 0)
        at, length = at + size, length + 1
    return length, found


@kernel
def _put_marks(data, begin, stop, m, start, end, lengths, flags):
    """Append one word for each run of one mark."""
    first = at = begin
    length, found, last = 0, 0, np.int64(-1)
    while at < stop:
        code, size, kind = character(data, at, stop)
        if not IS_INVISIBLE[kind] and code != last:
            if length:
                m = _put(data, first, at, length, found, m, start, end, lengths, flags)
            first, length, found, last = at, 0, 0, code
        length += 1
        found |= _word_flags(code, kind)
        at += size
    return _put(data, first, stop, length, found, m, start, end, lengths, flags)


@kernel
def _put_core(data, begin, stop, m, start, end, lengths, flags):
    """Split the core of a chunk, and append its words."""
    made, before, last = 0, OTHER, -1  # kind of the word so far; class and code of the previous character
    first, length, found = begin, 0, 0
    at = begin
    while at < stop:
        code, size, kind = character(data, at, stop)
        was, joins = made, False
        if IS_INVISIBLE[kind]:
            joins = made != 0
            made = made if joins else PLAIN
        elif kind in (HAN, HIRAGANA):
            made = ALONE
        elif kind == KATAKANA:
            made = KATAKANA
            joins = was == KATAKANA
        elif kind == UNSPACED:
            made = UNSPACED
            joins = was == UNSPACED and (contains(last, LEADS) or contains(code, TRAILS))
        elif code < 128 and kind in (PUNCTUATION, SYMBOL):
            if (was == MARKS and last == code) or split_infix(data, at, stop, code, before):
                made = MARKS
                joins = was == MARKS and last == code
            else:
                made = PLAIN
                joins = was == PLAIN
        elif (kind == PUNCTUATION and not contains(code, JOINER)) or kind == SYMBOL:
            made = MARKS
            joins = was == MARKS and last == code
        else:
            made = PLAIN
            joins = was == PLAIN
        if not joins and at > first:
            m = _put(data, first, at, length, found, m, start, end, lengths, flags)
            first, length, found = at, 0, 0
        length += 1
        found |= _word_flags(code, kind)
        at += size
        last = code
        if not IS_INVISIBLE[kind]:
            before = kind
    if stop > first:
        m = _put(data, first, stop, length, found, m, start, end, lengths, flags)
    return m
