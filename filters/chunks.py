"""Chunks: what stands between white space, taken apart into words by the rules of filters/unicode_words.py."""

import numpy as np

from filters.words import CAPITALS, ELLIPSIS, HAS_LETTER, HAS_NUMBER, PUNCTUATION_ONLY
from pipelines.bits import inlined, kernel, one_of
from pipelines.hashing import load_short
from pipelines.utf8 import (
    ASCII,
    DIGIT,
    HAN,
    HANGUL,
    HIRAGANA,
    INVALID,
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
    character_class,
    decode,
)

U = np.uint64
DOT = ord(".")
DOTS, WIDE_DOTS = (U(int.from_bytes(dots.encode(), "little")) for dots in ("...", "…"))
WWW = U(int.from_bytes(b"www.", "little"))
# English words that a full stop belongs to. Without them a novel in which Mr. and Mrs. speak has 1 % more marks.
TITLES = "Adm Bros Co Corp Dr Gen Gov Inc Jr Ltd Messrs Mr Mrs Ms Mt Prof Rep Rev Sen St co vs"
MONTHS = "Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec"
STATES = """Ak Ala Ariz Ark Calif Colo Conn Del Fla Ga Ia Id Ill Ind Kan Kans Ky La Mass Md Mich Minn Miss Mo Mont Neb
Nebr Nev Okla Ore Pa Tenn Va Wash Wis"""
ABBREVIATIONS = f"{TITLES} {MONTHS} {STATES}".split()
PACKED = np.sort(np.array([int.from_bytes(word.encode(), "little") for word in ABBREVIATIONS], np.uint64))
ASCII_LETTER = np.array([chr(i).isalpha() and i < 128 for i in range(256)])

# Roles of ASCII marks at the ends of a chunk, and inside it.
OPENS = np.isin(np.arange(128), [*b",:;!?()[]{}<>_#*&'\"`%=$"])
CLOSES = np.isin(np.arange(128), [*b",:;!?()[]{}<>_#*&'\"`="])
UNIT = np.isin(np.arange(128), [*b"%$+"])  # closes after a digit
BETWEEN_LETTERS = np.isin(np.arange(128), [*b"-~,"])
BEFORE_LETTER = np.isin(np.arange(128), [*b":<>=/"])
BETWEEN_DIGITS = np.isin(np.arange(128), [*b"+-*^"])
JOINER = np.array([0x2019, 0x2010, 0x2011, 0xB7])  # ’ ‐ ‑ ·: punctuation that stays inside a word
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
IS_LETTER = np.isin(np.arange(16), [LOWER, UPPER, LETTER, HANGUL])
IS_INVISIBLE = np.isin(np.arange(16), [MARK, OTHER])  # or written into what it follows
PLAIN, ALONE, MARKS = 1, 2, 3  # what the word at hand is made of; or KATAKANA, UNSPACED


@kernel
def put_chunk(data, begin, stop, m, start, end, lengths, flags):
    """Add the words of the chunk ``data[begin:stop]`` to ``m`` others and return how many there are."""
    core, tail = _front(data, begin, stop), stop
    if core > begin:
        m = _put_marks(data, begin, core, m, start, end, lengths, flags)
    if core < stop:
        tail = _back(data, core, stop)
    if core < tail:
        length, says = _survey(data, core, tail)
        if not says & MARKED or (not says & WIDE and _is_address(data, core, tail)):
            m = _put(data, core, tail, length, says, m, start, end, lengths, flags)
        else:
            cut = _contraction(data, core, tail)
            m = _put_core(data, core, cut, m, start, end, lengths, flags)
            if cut < tail:
                m = _put_core(data, cut, tail, m, start, end, lengths, flags)
    if tail < stop:
        m = _put_marks(data, tail, stop, m, start, end, lengths, flags)
    return m


@kernel
def put_whole(data, begin, stop, m, start, end, lengths, flags):
    """Add a word that is taken apart no further."""
    length, says = _survey(data, begin, stop)
    return _put(data, begin, stop, length, says, m, start, end, lengths, flags)


@inlined
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


@inlined
def _character(data, at, stop):
    """The character at ``at``: code point, bytes, class."""
    byte = np.int64(data[at])
    if byte < 128:
        return byte, 1, ASCII[byte]
    code, size = decode(data, at, stop)
    return code, size, character_class(code)


@inlined
def _says(code, kind):
    return MARKED if code < 128 and kind == SYMBOL else SAYS[kind]


@kernel
def _survey(data, begin, stop):
    """The characters of a core, and what they say together."""
    at, length, says = begin, 0, 0
    while at < stop:
        code, size, kind = _character(data, at, stop)
        says |= _says(code, kind) | (WIDE if size > 1 or code > 127 else 0)
        at, length = at + size, length + 1
    return length, says


@kernel
def _front(data, begin, stop):
    """Where the marks at the front of a chunk end."""
    at = begin
    while at < stop:
        code, size, kind = _character(data, at, stop)
        if at > begin and IS_INVISIBLE[kind]:
            at += size
            continue
        if code < 128:
            following = data[at + 1] if at + 1 < stop else 32
            if code == DOT:
                if following != DOT:
                    break
                while at + 1 < stop and data[at + 1] == DOT:
                    at += 1
            elif code == ord("+"):
                if 48 <= following < 58:
                    break
            elif not OPENS[code]:
                break
        elif not _stands_alone(code, kind):
            break
        at += size
    return at


@inlined
def _stands_alone(code, kind):
    """Is this character beyond ASCII a mark that is a word wherever it stands?"""
    return (kind == PUNCTUATION and (code == 0x2019 or not one_of(code, JOINER))) or kind == SYMBOL


@kernel
def is_abbreviation(data, begin, stop):
    """Is ``data[begin:stop]`` a word that the full stop behind it belongs to?"""
    size = stop - begin
    if size < 2 or size > 6:
        return False
    word = load_short(data, begin, size)
    low, high = 0, PACKED.size
    while low < high:
        middle = (low + high) // 2
        if PACKED[middle] < word:
            low = middle + 1
        else:
            high = middle
    return low < PACKED.size and PACKED[low] == word


@kernel
def _back(data, begin, stop):
    """Where the marks at the back of a chunk begin."""
    at = back = stop
    while at > begin:
        code, before = _previous(data, begin, at)
        kind = character_class(code)
        if IS_INVISIBLE[kind]:  # goes with what it follows
            at = before
            continue
        if code < 128:
            previous = data[before - 1] if before > begin else 32
            if code == DOT:
                if previous == DOT:
                    while before > begin and data[before - 1] == DOT:
                        before -= 1
                elif (ASCII_LETTER[previous] and (before - 1 == begin or data[before - 2] == DOT)) or is_abbreviation(
                    data, begin, before
                ):
                    break
            elif UNIT[code]:
                if not 48 <= previous < 58:
                    break
            elif not CLOSES[code]:
                break
        elif not _stands_alone(code, kind):
            break
        at = back = before
    return back


@kernel
def _previous(data, begin, at):
    """The character that ends at ``at``, and where it begins."""
    byte = data[at - 1]
    if byte < 128:
        return np.int64(byte), at - 1
    for size in range(2, min(4, at - begin) + 1):
        code, taken = decode(data, at - size, at)
        if taken == size:
            return code, at - size
    return INVALID, at - 1


@kernel
def _put_marks(data, begin, stop, m, start, end, lengths, flags):
    """A word for each run of one mark."""
    first = at = begin
    length, says, last = 0, 0, np.int64(-1)
    while at < stop:
        code, size, kind = _character(data, at, stop)
        if not IS_INVISIBLE[kind] and code != last:
            if length:
                m = _put(data, first, at, length, says, m, start, end, lengths, flags)
            first, length, says, last = at, 0, 0, code
        length += 1
        says |= _says(code, kind)
        at += size
    return _put(data, first, stop, length, says, m, start, end, lengths, flags)


@kernel
def _is_address(data, begin, stop):
    """Is this ASCII chunk ``scheme://…``, ``www.…``, ``name@host.domain`` or ``host.domain/…``?"""
    if stop - begin > 4 and load_short(data, begin, 4) == WWW:
        return True
    dot = at_sign = -1
    for at in range(begin, stop):
        byte = data[at]
        if byte == ord(":"):
            if stop - at > 3 and data[at + 1] == ord("/") and data[at + 2] == ord("/"):
                return True
        elif byte == DOT:
            dot = at
        elif byte == ord("@"):
            at_sign = at
        elif byte == ord("/"):
            return dot > begin and at - dot > 2 and ASCII_LETTER[data[dot + 1]] and ASCII_LETTER[data[at - 1]]
    return begin < at_sign < dot


@kernel
def _contraction(data, begin, stop):
    """Where the core of a chunk is cut for ``n't``, ``'s`` and their like; ``stop`` where it is not."""
    for tail in range(1, 3):
        at = stop - tail - 1  # of the apostrophe
        if at <= begin:
            break
        width = 1
        if data[at] == 0x99 and at - 2 > begin and data[at - 1] == 0x80 and data[at - 2] == 0xE2:
            at, width = at - 2, 3
        elif data[at] != ord("'"):
            continue
        first, last = data[at + width] | 32, data[stop - 1] | 32
        if tail == 1:
            if first == ord("t") and data[at - 1] | 32 == ord("n") and at - 1 > begin:
                return at - 1
            if first == ord("s") or first == ord("m") or first == ord("d"):
                return at
        elif (last == ord("e") and (first == ord("r") or first == ord("v"))) or (
            first == ord("l") and last == ord("l")
        ):
            return at
    return stop


@kernel
def _cuts(data, at, stop, code, before):
    """Is the ASCII mark ``code`` at ``at`` a word of its own, inside a chunk, after a character of class ``before``?"""
    if code == DOT:
        if at + 1 == stop or data[at + 1] == DOT:
            return at + 1 < stop
        following, _ = decode(data, at + 1, stop)
        return before == LOWER and character_class(following) == UPPER
    if not IS_LETTER[before] and before != DIGIT:  # so a long run of dashes is looked along once
        return False
    end = at + 1
    while end < stop and data[end] == code and code == ord("-"):
        end += 1
    if end == stop:
        return False
    following, _ = decode(data, end, stop)
    after = character_class(following)
    if BETWEEN_LETTERS[code] and IS_LETTER[before] and IS_LETTER[after]:
        return True
    if BEFORE_LETTER[code] and IS_LETTER[after]:
        return True
    return BETWEEN_DIGITS[code] and end == at + 1 and before == DIGIT and (after == DIGIT or following == ord("-"))


@kernel
def _put_core(data, begin, stop, m, start, end, lengths, flags):
    """Cut the core of a chunk inside, and put its words."""
    made, before, last = 0, OTHER, -1  # what the word is made of; class and code of the character before
    first, length, says = begin, 0, 0
    at = begin
    while at < stop:
        code, size, kind = _character(data, at, stop)
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
            joins = was == UNSPACED and (one_of(last, LEADS) or one_of(code, TRAILS))
        elif code < 128 and kind in (PUNCTUATION, SYMBOL):
            if (was == MARKS and last == code) or _cuts(data, at, stop, code, before):
                made = MARKS
                joins = was == MARKS and last == code
            else:
                made = PLAIN
                joins = was == PLAIN
        elif (kind == PUNCTUATION and not one_of(code, JOINER)) or kind == SYMBOL:
            made = MARKS
            joins = was == MARKS and last == code
        else:
            made = PLAIN
            joins = was == PLAIN
        if not joins and at > first:
            m = _put(data, first, at, length, says, m, start, end, lengths, flags)
            first, length, says = at, 0, 0
        length += 1
        says |= _says(code, kind)
        at += size
        last = code
        if not IS_INVISIBLE[kind]:
            before = kind
    if stop > first:
        m = _put(data, first, stop, length, says, m, start, end, lengths, flags)
    return m
