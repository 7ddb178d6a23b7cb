"""Words: the one scan of a text that every counting rule shares.

The rules of ``unicode_words``, close to those of spaCy's blank English, which the field's filters count with:

1. White space ends a word. What stands between is a chunk, taken apart from its ends.
2. Marks at its front and back are words of their own, a run of one mark being one word: ``("`` is two words, ``...``,
   ``###`` and ``!!`` are one. ``-`` ``/`` ``@`` ``\\`` ``^`` ``|`` ``~`` stay with what they touch, as does ``+``
   before a digit; at the back ``%`` ``$`` ``+`` go only after a digit.
3. A full stop stays with a letter that stands alone: ``I.``, ``U.S.A.``, ``e.g.``
4. An address (``https://a.b/c``, ``www.a.b``, ``a.b/c``, ``me@a.b``) is one word.
5. ``n't``, and an apostrophe with ``s m d ll re ve``, leave the word they end: ``do n't``, ``she 'll``.
6. Within a chunk there is a cut around ``..`` and longer; around ``- -- ~ ,`` between letters (``e - mail``, but
   ``COVID-19``); around ``: < > = /`` after a letter or digit and before a letter (``and / or``); around
   ``+ - * ^`` between digits (``1939 - 45``); around a full stop between lower and upper case (``end . Next``);
   around every mark beyond ASCII but ``’ ‐ ‑ ·``. What remains is a word: ``1,234.56``, ``AT&T``, ``foo_bar``.
7. Each Han character and each hiragana is a word, and each run of katakana; in Thai, Lao, Khmer, Myanmar and Tibetan
   each cluster of a letter and what is written around it. Combining marks and invisible characters join what
   they follow. Hangul is spaced and needs no rule.

A byte that is no UTF-8 counts as a symbol.
"""

from typing import NamedTuple

import numpy as np

from pipelines.bits import first_bytes, inlined, kernel, load8, one_of, trailing_zeros
from pipelines.hashing import hash_word, load_short
from pipelines.ragged import Ragged
from pipelines.utf8 import (
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
    SPACE,
    SYMBOL,
    UNSPACED,
    UPPER,
    character_class,
    decode,
)

# What a word is, bit by bit.
HAS_LETTER = 1
HAS_NUMBER = 2  # a digit or another number
CAPITALS = 4  # upper-case letters and none in lower case
PUNCTUATION_ONLY = 8  # ASCII marks, punctuation and control characters, nothing else
ELLIPSIS = 16  # "…", or three and more full stops
BEGINS_LINE = 32  # the first word of a line that is not blank
BEGINS_PARAGRAPH = 64  # the first word after a blank line, or of the document


class Words(NamedTuple):
    """The words of document i are ``offsets[i]:offsets[i + 1]``; word j is the bytes ``start[j]:end[j]`` of the text.

    21 bytes a word: 36 MB for 8 MB of English.
    """

    offsets: np.ndarray  # int64[n + 1]
    start: np.ndarray  # int32[m]; batches stay below 2 GiB
    end: np.ndarray  # int32[m]
    hash: np.ndarray  # uint64[m], pipelines.hashing.hash64 of the bytes
    length: np.ndarray  # int32[m], in characters
    flags: np.ndarray  # uint8[m], the bits above


def unicode_words(text: Ragged) -> Words:
    """The words of every document, by the rules on top of this module. A blank document has none."""
    # A word has at least one byte. Memory that is never written to is never taken, so the bound costs nothing.
    bound = text.data.size
    arrays = [np.empty(bound, kind) for kind in (np.int32, np.int32, np.uint64, np.int32, np.uint8)]
    offsets = np.zeros(text.rows + 1, np.int64)
    scan_words(*text, offsets, *arrays)
    arrays = [array[: offsets[-1]] for array in arrays]
    for array in (offsets, *arrays):
        array.flags.writeable = False
    return Words(offsets, *arrays)


U = np.uint64

DOT, W = ord("."), ord("w")
DOTS, WIDE_DOTS = (U(int.from_bytes(dots.encode(), "little")) for dots in ("...", "…"))

# Roles of bytes.
INSIDE, BLANK, BREAK, RETURN, UNSURE = range(5)  # no space; a space; a line break; \r; may begin a wider space
BYTE = np.zeros(256, np.uint8)
BYTE[[*b" \t\x1f"]] = BLANK
BYTE[[*b"\n\v\f\x1c\x1d\x1e"]] = BREAK
BYTE[ord("\r")] = RETURN
BYTE[[0xC2, 0xE1, 0xE2, 0xE3, 0xEF]] = UNSURE
ASCII_LETTER = np.array([chr(i).isalpha() and i < 128 for i in range(256)])
FINAL = np.isin(np.arange(256), [*b",;:!?."])

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

# What a character says of its word, by class.
LOWERCASE, UPPERCASE, OPAQUE = 32, 64, 128  # in lower case; in upper case; not mere punctuation
SAYS = np.zeros(16, np.int64)
SAYS[[LOWER, UPPER, LETTER, HAN, HIRAGANA, KATAKANA, HANGUL, UNSPACED]] = HAS_LETTER | OPAQUE
SAYS[LOWER] |= LOWERCASE
SAYS[UPPER] |= UPPERCASE
SAYS[[DIGIT, NUMBER]] = HAS_NUMBER | OPAQUE
SAYS[[MARK, SYMBOL]] = OPAQUE
IS_LETTER = np.isin(np.arange(16), [LOWER, UPPER, LETTER, HANGUL])
IS_INVISIBLE = np.isin(np.arange(16), [MARK, OTHER])  # or written into what it follows


@inlined
def _flags(data, begin, stop, says):
    """What the characters of a word say together -> its flags."""
    flag = says & (HAS_LETTER | HAS_NUMBER)
    if says & UPPERCASE and not says & LOWERCASE:
        flag |= CAPITALS
    if not says & OPAQUE:
        flag |= PUNCTUATION_ONLY
        if stop - begin > 2 and (load_short(data, begin, 3) == DOTS or load_short(data, begin, 3) == WIDE_DOTS):
            flag |= ELLIPSIS
    return flag


@inlined
def _says(code, kind):
    return 0 if code < 128 and kind == SYMBOL else SAYS[kind]


@inlined
def _put(data, begin, stop, length, flag, m, start, end, hashes, lengths, flags):
    """Add the word ``data[begin:stop]`` and return the number of words."""
    start[m], end[m] = begin, stop
    hashes[m] = hash_word(data, begin, stop)
    lengths[m] = length
    flags[m] = flag
    return m + 1


@kernel
def describe(data, begin, stop):
    """The characters of any word, and the flags that it has by itself."""
    length, says, at = 0, 0, np.int64(begin)
    while at < stop:
        code, size = decode(data, at, stop)
        says |= _says(code, character_class(code))
        length += 1
        at += size
    return length, _flags(data, np.int64(begin), np.int64(stop), says)


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
def _front(data, begin, stop):
    """Where the marks at the front of a chunk end."""
    at = begin
    while at < stop:
        code, size = decode(data, at, stop)
        kind = character_class(code)
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
                elif ASCII_LETTER[previous] and (before - 1 == begin or data[before - 2] == DOT):
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
def _put_marks(data, begin, stop, m, start, end, hashes, lengths, flags):
    """A word for each run of one mark."""
    first = at = begin
    length, says, last = 0, 0, np.int64(-1)
    while at < stop:
        code, size = decode(data, at, stop)
        kind = character_class(code)
        if not IS_INVISIBLE[kind] and code != last:
            if length:
                m = _put(data, first, at, length, _flags(data, first, at, says), m, start, end, hashes, lengths, flags)
            first, length, says, last = at, 0, 0, code
        length += 1
        says |= _says(code, kind)
        at += size
    return _put(data, first, stop, length, _flags(data, first, stop, says), m, start, end, hashes, lengths, flags)


@kernel
def _is_address(data, begin, stop):
    """Is this ASCII chunk ``scheme://…``, ``www.…``, ``name@host.domain`` or ``host.domain/…``?"""
    if (
        stop - begin > 4
        and data[begin] == W
        and data[begin + 1] == W
        and data[begin + 2] == W
        and data[begin + 3] == DOT
    ):
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


PLAIN, ALONE, MARKS = 1, 2, 3  # what the word at hand is made of; or KATAKANA, UNSPACED


@kernel
def _cuts(data, at, stop, code, before):
    """Is the ASCII mark ``code`` at ``at`` a word of its own, inside a chunk, after a character of class ``before``?"""
    if code == DOT:
        if at + 1 == stop or data[at + 1] == DOT:
            return at + 1 < stop
        following, _ = decode(data, at + 1, stop)
        return before == LOWER and character_class(following) == UPPER
    end = at + 1
    while end < stop and data[end] == code and code == ord("-"):
        end += 1
    if end == stop:
        return False
    following, _ = decode(data, end, stop)
    after = character_class(following)
    if BETWEEN_LETTERS[code] and IS_LETTER[before] and IS_LETTER[after]:
        return True
    if BEFORE_LETTER[code] and (IS_LETTER[before] or before == DIGIT) and IS_LETTER[after]:
        return True
    return BETWEEN_DIGITS[code] and end == at + 1 and before == DIGIT and (after == DIGIT or following == ord("-"))


@kernel
def _put_core(data, begin, stop, m, start, end, hashes, lengths, flags):
    """Cut the core of a chunk inside, and put its words."""
    made, before, last = 0, OTHER, -1  # what the word is made of; class and code of the character before
    first, length, says = begin, 0, 0
    at = begin
    while at < stop:
        code, size = decode(data, at, stop)
        kind = character_class(code)
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
            m = _put(
                data,
                first,
                at,
                length,
                _flags(data, first, at, says),
                m,
                start,
                end,
                hashes,
                lengths,
                flags,
            )
            first, length, says = at, 0, 0
        length += 1
        says |= _says(code, kind)
        at += size
        last = code
        if not IS_INVISIBLE[kind]:
            before = kind
    if stop > first:
        m = _put(
            data,
            first,
            stop,
            length,
            _flags(data, first, stop, says),
            m,
            start,
            end,
            hashes,
            lengths,
            flags,
        )
    return m


@kernel
def _put_chunk(data, begin, stop, m, start, end, hashes, lengths, flags):
    """Put the words of one chunk."""
    core, tail = _front(data, begin, stop), stop
    if core < stop:
        tail = _back(data, core, stop)
    if core > begin:
        m = _put_marks(data, begin, core, m, start, end, hashes, lengths, flags)
    if tail > core:
        ascii = True
        for at in range(core, tail):
            ascii &= data[at] < 128
        if ascii and _is_address(data, core, tail):
            says = 0
            for at in range(core, tail):
                says |= _says(np.int64(data[at]), character_class(np.int64(data[at])))
            m = _put(
                data, core, tail, tail - core, _flags(data, core, tail, says), m, start, end, hashes, lengths, flags
            )
        else:
            cut = _contraction(data, core, tail)
            m = _put_core(data, core, cut, m, start, end, hashes, lengths, flags)
            if cut < tail:
                m = _put_core(data, cut, tail, m, start, end, hashes, lengths, flags)
    if tail < stop:
        m = _put_marks(data, tail, stop, m, start, end, hashes, lengths, flags)
    return m


EACH = U(0x0101010101010101)  # times a byte: that byte in all eight places
HIGH, LOW7, CASE = EACH * U(0x80), EACH * U(0x7F), EACH * U(0x20)
TO_A, PAST_Z = EACH * U(0x80 - ord("a")), EACH * U(0x7F - ord("z"))


@inlined
def _letters(data, at, stop):
    """How many of the next 8 bytes are ASCII letters, from the first on, and whether some are in lower case.

    Eight at once: bytes with the case bit set carry into their high bit from "a" on, and from "z" + 1 on.
    """
    if at + 8 > data.size:
        return _letters_at_the_end(data, at, stop)
    word = load8(data, at)
    folded = (word | CASE) & LOW7
    letters = (folded + TO_A) & ~(folded + PAST_Z) & ~word & HIGH
    run = min(trailing_zeros(letters ^ HIGH) >> 3, stop - at)
    return run, word & CASE & first_bytes(run)


@kernel
def _letters_at_the_end(data, at, stop):
    run, lower = 0, U(0)
    while at + run < stop and ASCII_LETTER[data[at + run]]:
        lower |= U(data[at + run] & 32)
        run += 1
    return run, lower


@kernel
def _wide_space(data, at, stop):
    """The size of the space beyond ASCII that begins here, 0 where none does, and the line breaks it makes."""
    code, size = decode(data, at, stop)
    if character_class(code) != SPACE:
        return 0, 0
    return size, 2 if code == 0x2029 else code == 0x2028 or code == 0x85


@kernel
def scan_words(offsets, data, word_offsets, start, end, hashes, lengths, flags):
    """offsets int64[n + 1], data uint8 -> the arrays of ``Words``, filled up to ``word_offsets[n]``."""
    m = 0
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        breaks = 2
        while at < stop:
            role = BYTE[data[at]]
            if role != INSIDE:
                if role == BLANK:
                    at += 1
                    continue
                if role == BREAK:
                    at, breaks = at + 1, breaks + 1
                    continue
                if role == RETURN:
                    breaks += at + 1 == stop or data[at + 1] != 10
                    at += 1
                    continue
                size, broken = _wide_space(data, at, stop)
                if size:
                    at, breaks = at + size, breaks + broken
                    continue
            first, begin = m, at
            lower = U(0)
            while at < stop:
                run, cases = _letters(data, at, stop)
                at, lower = at + run, lower | cases
                if run < 8:
                    break
            flag = HAS_LETTER if lower else HAS_LETTER | CAPITALS
            byte = data[at] if at < stop else np.uint8(32)
            if at > begin and 0 < BYTE[byte] < UNSURE:
                m = _put(data, begin, at, at - begin, flag, m, start, end, hashes, lengths, flags)
            elif at > begin + 1 and FINAL[byte] and (at + 1 == stop or 0 < BYTE[data[at + 1]] < UNSURE):
                m = _put(data, begin, at, at - begin, flag, m, start, end, hashes, lengths, flags)
                m = _put(data, at, at + 1, 1, PUNCTUATION_ONLY, m, start, end, hashes, lengths, flags)
                at += 1
            else:
                while at < stop:
                    role = BYTE[data[at]]
                    if role != INSIDE and (role != UNSURE or _wide_space(data, at, stop)[0]):
                        break
                    at += 1
                m = _put_chunk(data, begin, at, m, start, end, hashes, lengths, flags)
            if breaks:
                flags[first] |= BEGINS_LINE if breaks == 1 else BEGINS_LINE | BEGINS_PARAGRAPH
                breaks = 0
        word_offsets[row + 1] = m
