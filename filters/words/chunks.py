"""Chunks: what stands between white space, taken apart into words by the rules of filters/words/unicode_words.py."""

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
from gristmill.pipelines.kernels.hashing import load_short
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

U64 = np.uint64
DOTS, WIDE_DOTS = (U64(int.from_bytes(dots.encode(), "little")) for dots in ("...", "…"))
# Vowels written before their consonant, and signs that stack the next one: what follows belongs to them.
LEADS = np.array([*range(0xE40, 0xE45), *range(0xEC0, 0xEC5), 0x17D2, 0x1039])
TRAILS = np.array([0xE30, 0xE32, 0xE33, 0xE45, 0xEB0, 0xEB2, 0xEB3])  # vowels that are letters, written behind

# What a character says of its word, by class; and of the core of its chunk.
LOWERCASE, UPPERCASE, OPAQUE = 32, 64, 128  # in lower case; in upper case; not mere punctuation
MARKED, WIDE = 256, 512  # holds a mark or what is written without spaces; holds more than ASCII
SAYS = np.zeros(16, np.int64)
SAYS[[LOWER, UPPER, LETTER, HAN, HIRAGANA, KATAKANA, HANGUL, UNSPACED]] = HAS_LETTER | OPAQUE
SAYS[LOWER] |= LOWERCASE
SAYS[UPPER] |= UPPERCASE
SAYS[[DIGIT, NUMBER]] = HAS_NUMBER | OPAQUE
SAYS[[MARK, SYMBOL]] = OPAQUE
SAYS[[HAN, HIRAGANA, KATAKANA, UNSPACED, PUNCTUATION, SYMBOL]] |= MARKED
PLAIN, ALONE, MARKS = 1, 2, 3  # what the word at hand is made of; or KATAKANA, UNSPACED


@kernel
def add_chunk(data, begin, stop, m, start, end, lengths, flags):
    """Add the words of the chunk ``data[begin:stop]`` to ``m`` others and return how many there are."""
    core, tail = split_prefix(data, begin, stop), stop
    if core > begin:
        m = _put_marks(data, begin, core, m, start, end, lengths, flags)
    if core < stop:
        tail = split_suffix(data, core, stop)
    if core < tail:
        length, says = _scan_core(data, core, tail)
        if not says & MARKED or (not says & WIDE and is_address(data, core, tail)):
            m = _put(data, core, tail, length, says, m, start, end, lengths, flags)
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
    """Add a word that is taken apart no further."""
    length, says = _scan_core(data, begin, stop)
    return _put(data, begin, stop, length, says, m, start, end, lengths, flags)


@inline_kernel
def _put(data, begin, stop, length, says, m, start, end, lengths, flags):
    """Add the word ``data[begin:stop]``, whose characters say what they say together."""
    flag = says & (HAS_LETTER | HAS_NUMBER)
    if says & UPPERCASE and not says & LOWERCASE:
        flag |= CAPITALS
    if not says & OPAQUE:
        flag |= PUNCTUATION_ONLY
        if stop - begin > 2 and (load_short(data, begin, 3) == DOTS or load_short(data, begin, 3) == WIDE_DOTS):
            flag |= ELLIPSIS
    start[m], end[m], lengths[m], flags[m] = begin, stop, length, flag
    return m + 1


@inline_kernel
def _word_flags(code, kind):
    return MARKED if code < 128 and kind == SYMBOL else SAYS[kind]


@kernel
def _scan_core(data, begin, stop):
    """The characters of a core, and what they say together."""
    at, length, says = begin, 0, 0
    while at < stop:
        code, size, kind = character(data, at, stop)
        says |= _word_flags(code, kind) | (WIDE if size > 1 or code > 127 else 0)
        at, length = at + size, length + 1
    return length, says


@kernel
def _put_marks(data, begin, stop, m, start, end, lengths, flags):
    """A word for each run of one mark."""
    first = at = begin
    length, says, last = 0, 0, np.int64(-1)
    while at < stop:
        code, size, kind = character(data, at, stop)
        if not IS_INVISIBLE[kind] and code != last:
            if length:
                m = _put(data, first, at, length, says, m, start, end, lengths, flags)
            first, length, says, last = at, 0, 0, code
        length += 1
        says |= _word_flags(code, kind)
        at += size
    return _put(data, first, stop, length, says, m, start, end, lengths, flags)


@kernel
def _put_core(data, begin, stop, m, start, end, lengths, flags):
    """Cut the core of a chunk inside, and put its words."""
    made, before, last = 0, OTHER, -1  # what the word is made of; class and code of the character before
    first, length, says = begin, 0, 0
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
            m = _put(data, first, at, length, says, m, start, end, lengths, flags)
            first, length, says = at, 0, 0
        length += 1
        says |= _word_flags(code, kind)
        at += size
        last = code
        if not IS_INVISIBLE[kind]:
            before = kind
    if stop > first:
        m = _put(data, first, stop, length, says, m, start, end, lengths, flags)
    return m
