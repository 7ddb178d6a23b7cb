"""Split points of a chunk, in spaCy's terms: prefix, suffix, infix, contraction; and addresses, which stay whole."""

import numpy as np

from gristmill.pipelines.kernels.hashing import load_short
from gristmill.pipelines.kernels.intrinsics import contains, contains_sorted, inline_kernel, kernel
from gristmill.pipelines.kernels.utf8 import (
    ASCII,
    DIGIT,
    HANGUL,
    INVALID,
    LETTER,
    LOWER,
    MARK,
    OTHER,
    PUNCTUATION,
    SYMBOL,
    UPPER,
    character_class,
    decode,
)

DOT = ord(".")
WWW = np.uint64(int.from_bytes(b"www.", "little"))
# English words that include their full stop. Without this list, a novel with Mr. and Mrs. has 1 % more punctuation.
TITLES = "Adm Bros Co Corp Dr Gen Gov Inc Jr Ltd Messrs Mr Mrs Ms Mt Prof Rep Rev Sen St co vs"
MONTHS = "Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec"
STATES = """Ak Ala Ariz Ark Calif Colo Conn Del Fla Ga Ia Id Ill Ind Kan Kans Ky La Mass Md Mich Minn Miss Mo Mont Neb
Nebr Nev Okla Ore Pa Tenn Va Wash Wis"""
ABBREVIATIONS = f"{TITLES} {MONTHS} {STATES}".split()
PACKED = np.sort(np.array([int.from_bytes(word.encode(), "little") for word in ABBREVIATIONS], np.uint64))
ASCII_LETTER = np.array([chr(i).isalpha() and i < 128 for i in range(256)])

# Roles of ASCII marks: at the front, at the back and inside a chunk.
OPENS = np.isin(np.arange(128), [*b",:;!?()[]{}<>_#*&'\"`%=$"])
CLOSES = np.isin(np.arange(128), [*b",:;!?()[]{}<>_#*&'\"`="])
UNIT = np.isin(np.arange(128), [*b"%$+"])  # suffix after a digit
BETWEEN_LETTERS = np.isin(np.arange(128), [*b"-~,"])
BEFORE_LETTER = np.isin(np.arange(128), [*b":<>=/"])
BETWEEN_DIGITS = np.isin(np.arange(128), [*b"+-*^"])
JOINER = np.array([0x2019, 0x2010, 0x2011, 0xB7])  # ’ ‐ ‑ ·: punctuation inside words
IS_LETTER = np.isin(np.arange(16), [LOWER, UPPER, LETTER, HANGUL])
IS_INVISIBLE = np.isin(np.arange(16), [MARK, OTHER])  # or combining with the previous character


@inline_kernel
def character(data, at, stop):
    """Return code point, bytes and class of the character at ``at``."""
    byte = np.int64(data[at])
    if byte < 128:
        return byte, 1, ASCII[byte]
    code, size = decode(data, at, stop)
    return code, size, character_class(code)


@kernel
def split_prefix(data, begin, stop):
    """Return the end of the marks at the front of a chunk."""
    at = begin
    while at < stop:
        code, size, kind = character(data, at, stop)
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


@inline_kernel
def _stands_alone(code, kind):
    """True if a non-ASCII character is a mark that is a word of its own anywhere."""
    return (kind == PUNCTUATION and (code == 0x2019 or not contains(code, JOINER))) or kind == SYMBOL


@kernel
def split_suffix(data, begin, stop):
    """Return the start of the marks at the back of a chunk."""
    at = back = stop
    while at > begin:
        code, before = _previous(data, begin, at)
        kind = character_class(code)
        if IS_INVISIBLE[kind]:  # belongs to the character before it
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
    """Return the code point of the character that ends at ``at``, and its start."""
    byte = data[at - 1]
    if byte < 128:
        return np.int64(byte), at - 1
    for size in range(2, min(4, at - begin) + 1):
        code, taken = decode(data, at - size, at)
        if taken == size:
            return code, at - size
    return INVALID, at - 1


@kernel
def is_abbreviation(data, begin, stop):
    """True if ``data[begin:stop]`` is a word that includes the full stop after it."""
    size = stop - begin
    if size < 2 or size > 6:
        return False
    return contains_sorted(load_short(data, begin, size), PACKED)


@kernel
def split_contraction(data, begin, stop):
    """Return the start of ``n't``, ``'s`` and other contractions at the end of a core; ``stop`` if there is none."""
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
def split_infix(data, at, stop, code, before):
    """True if the ASCII mark ``code`` at ``at``, after a character of class ``before``, is a word of its own."""
    if code == DOT:
        if at + 1 == stop or data[at + 1] == DOT:
            return at + 1 < stop
        following, _ = decode(data, at + 1, stop)
        return before == LOWER and character_class(following) == UPPER
    if not IS_LETTER[before] and before != DIGIT:  # so a long run of dashes is scanned once
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
def is_address(data, begin, stop):
    """True if an ASCII chunk is ``scheme://…``, ``www.…``, ``name@host.domain`` or ``host.domain/…``."""
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
