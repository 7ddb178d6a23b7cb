"""Shapes of chunks: spaCy splits all chunks of one shape alike, unless a special case is among their tokens.

A shape is a chunk with one letter for each word and 7 for each number. spaCy's patterns see no more: they know letters
as such, by their script, and digits as such; before a full stop also the case of two letters, and behind an apostrophe
an s. What else they know has no shape: units behind digits, US$, degrees, and addresses, which have a dot before
a letter or three before digits.
"""

import hashlib
import re
import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np

from gristmill.filters.words.words import hashes_of
from gristmill.pipelines.kernels.array_cache import mapped_arrays
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, hash_word
from gristmill.pipelines.kernels.intrinsics import contains_sorted, inline_kernel, kernel
from gristmill.pipelines.kernels.utf8 import decode, two_level_table
from gristmill.pipelines.sources import state

CLOSES, OPENS = 4, 2  # flags of a chunk, see filters/words/spacy_chunks.py
LONGEST = 40  # characters of a shape

# The kind of a character is its place in KINDS. The first stands for all of no shape, the letters q, Q, 一 and ก for
# those of the classes that spaCy's patterns name (lower case, upper case, without case) and of none, 7 for digits.
KINDS = "\0sSqQ一ก7.$'’_"  # and all marks and symbols after them
NONE, SMALL_S, LARGE_S, LOWER, UPPER, UNCASED, UNKNOWN, DIGIT, DOT, DOLLAR, QUOTE, CURLY, LINE = range(len(KINDS))
KIND_OF_CLASSES = np.array([UNKNOWN, NONE, NONE, NONE, NONE, UPPER, LOWER, UNCASED])  # 4 alpha + 2 lower + upper
DEGREE = "°"  # spaCy knows the letters behind it
CURSED = "IS_ALPHA"  # see filters/words/spacy_chunks.py
CURSED_BYTES = np.frombuffer(CURSED.encode(), np.uint8)

LETTERS = re.compile(f"[{KINDS[SMALL_S:DIGIT]}]+")
NO_SHAPE = re.compile(rf"\0|\.(?:[{KINDS[SMALL_S:DIGIT]}]|[^\0-\x7f])|(?:\.7.*){{3}}|.{{{LONGEST + 1}}}")
PIECES = re.compile(f"{LETTERS.pattern}|7+|.")
VARIES = re.compile(f"[{KINDS[LOWER:DOT]}]")  # of characters that stand for many


class Characters(NamedTuple):
    """Kind of each character as a two-level table, and what the kinds stand for."""

    numbers: np.ndarray
    blocks: np.ndarray
    kinds: np.ndarray  # uint32: code points
    units: np.ndarray  # uint64: sorted hashes of letters that spaCy may part from digits before them


@cache
def characters() -> Characters:
    """Return the kinds of all characters, from the cache."""
    from spacy.lang import char_classes as named

    patterns = (*named.LIST_ELLIPSES, *named.LIST_HYPHENS, *named.LIST_CURRENCY, *named.LIST_PUNCT, *named.LIST_QUOTES)
    named_by = named.ALPHA, named.ALPHA_LOWER, named.ALPHA_UPPER, named.CONCAT_ICONS, "".join(patterns), named.UNITS
    key = hashlib.sha256(repr((unicodedata.unidata_version, state(__file__), named_by)).encode()).hexdigest()
    return Characters(**mapped_arrays(f"spacy-{key[:32]}", lambda: _make_characters(*named_by)))


def _make_characters(alpha: str, lower: str, upper: str, icons: str, patterns: str, units: str) -> dict:
    category = [unicodedata.category(char)[0] for char in map(chr, range(0x110000))]
    letters, marks, others = (
        [code for code, kind in enumerate(category) if kind in kinds] for kinds in ("LM", "PS", "NC")
    )
    classes = np.array([_members(each, letters) for each in (alpha, lower, upper)])
    kinds = np.zeros(0x110000, np.uint16)
    kinds[letters] = KIND_OF_CLASSES[[4, 2, 1] @ classes]
    # A number or control character that no pattern names is to them as a letter of no class.
    kinds[others] = np.where(_members(alpha + icons + re.escape(patterns + units + "²"), others), NONE, UNKNOWN)
    kinds[[*range(0xD800, 0xE000)]] = NONE
    kinds[[*map(ord, "0123456789")]] = DIGIT
    stands = [*map(ord, KINDS), *(code for code in marks if chr(code) not in KINDS + DEGREE)]
    for place, code in enumerate(stands):
        if place in (SMALL_S, LARGE_S) or place > UNKNOWN:
            kinds[code] = place
    numbers, blocks = two_level_table(kinds)
    runs = sorted({run for unit in units.split("|") for run in re.findall(r"[^\W\d]+", unit)[:1]})
    hashes = np.sort(hashes_of(runs))
    return Characters(numbers, blocks, np.array(stands, np.uint32), hashes)._asdict()


def _members(characters: str, codes: list[int]) -> np.ndarray:
    """Return 1 for each code point that a class of a regular expression has, else 0."""
    found = np.zeros(len(codes), np.int64)
    some = [chr(code) if not 0xD800 <= code < 0xE000 else "\ud800" for code in codes]
    found[[at.start() for at in re.finditer(f"[{characters}]", "".join(some))]] = 1
    return found


def shape_of(chunk: str) -> str:
    """Return the shape of a chunk, or an empty one."""
    table, codes = characters(), np.array([*map(ord, chunk)], np.int64)
    kinds = table.blocks[table.numbers[codes >> 8].astype(np.int64) * 256 + (codes & 255)]
    kinds = "".join(map(chr, table.kinds[kinds]))
    for run in LETTERS.finditer(kinds):
        begin, end = run.span()
        measured = kinds[:begin].endswith("7") and hashes_of([chunk[begin:end]])[0] in table.units
        if measured or kinds[end:].startswith("$"):
            return ""
    shape = re.sub("7+", "7", LETTERS.sub(_word, kinds))
    return "" if NO_SHAPE.search(shape) or CURSED in chunk else shape


def _word(found: re.Match) -> str:
    letters, before, after = found[0], found.string[: found.start()][-1:], found.string[found.end() :][:1]
    if letters in ("s", "S") and before in ("'", "’"):
        return letters
    cased = letters.replace("s", "q").replace("S", "Q")
    first, last = (_plain(letter) for letter in (cased[0], cased[-1]))
    if after == ".":
        return (first if len(cased) > 2 else "") + cased[-2:]
    return first if first == last else first + last


def _plain(letter: str) -> str:
    return "ก" if letter == "ก" else "q"


@inline_kernel
def kind_of(code, numbers, blocks):
    """Return the kind of a character."""
    return np.int64(blocks[np.int64(numbers[code >> 8]) * 256 + (code & 255)])


@inline_kernel
def is_letter(kind):
    """True if a kind is one of letters."""
    return NONE < kind < DIGIT


@inline_kernel
def _mixed(shape, kind):
    """Return the hash of a shape with one more character."""
    shape = (shape ^ np.uint64(kind)) * GOLDEN_RATIO
    return shape ^ shape >> np.uint64(29)


@kernel
def hash_shapes(data, start, end, numbers, blocks, units, shapes):
    """Fill the hash of the shape of each chunk, 0 if it has none."""
    for i in range(start.size):
        shapes[i] = _hash_shape(data, np.int64(start[i]), np.int64(end[i]), numbers, blocks, units)


@kernel
def _hash_shape(data, at, end, numbers, blocks, units):
    shape, size, dots = GOLDEN_RATIO, 0, 0  # characters of the shape; dots before digits
    letters, first, previous, last, begin, behind = 0, NONE, NONE, NONE, at, NONE  # of a word; the kind before it
    before = NONE
    while at <= end:
        kind, code, width = NONE, np.int64(0), 1  # behind the end
        if at < end:
            code, width = decode(data, at, end)
            kind = kind_of(code, numbers, blocks)
            if kind == NONE or (before == DOT and (is_letter(kind) or code > 127)):
                return np.uint64(0)
        if is_letter(kind):
            if letters == 0:
                first, begin, behind = kind, at, before
            letters, previous, last = letters + 1, last, kind
        else:
            if letters:
                if kind == DOLLAR or (behind == DIGIT and contains_sorted(hash_word(data, begin, at), units)):
                    return np.uint64(0)
                if kind == LINE and letters > 1 and _is_cursed(data, at - 2, end):
                    return np.uint64(0)
                shape, size = _with_word(shape, size, letters, first, previous, last, behind, kind)
                letters = 0
            if at < end and (kind != DIGIT or before != DIGIT):
                shape, size = _mixed(shape, kind), size + 1
        dots += before == DOT and kind == DIGIT
        before = kind
        at += width
    return np.uint64(0) if size > LONGEST or dots > 2 else shape | np.uint64(1)


@inline_kernel
def _with_word(shape, size, letters, first, previous, last, behind, kind):
    """Return the hash and the size of a shape with a word between the kinds ``behind`` and ``kind``."""
    if letters == 1 and last <= LARGE_S and (behind == QUOTE or behind == CURLY):
        return _mixed(shape, last), size + 1
    if kind != DOT:
        shape, first, last = _mixed(shape, _plain_kind(first)), _plain_kind(first), _plain_kind(last)
        return (shape, size + 1) if first == last else (_mixed(shape, last), size + 2)
    if letters > 2:
        shape = _mixed(shape, _plain_kind(first))
    if letters > 1:
        shape = _mixed(shape, _case(previous))
    return _mixed(shape, _case(last)), size + min(letters, 3)


@inline_kernel
def _plain_kind(kind):
    return UNKNOWN if kind == UNKNOWN else LOWER


@inline_kernel
def _case(kind):
    return kind + 2 if kind <= LARGE_S else kind  # s and S as q and Q


@kernel
def _is_cursed(data, begin, end):
    if end - begin < CURSED_BYTES.size:
        return False
    for i in range(CURSED_BYTES.size):
        if data[begin + i] != CURSED_BYTES[i]:
            return False
    return True


class Specials(NamedTuple):
    """Sorted hashes of special cases that change tokens, of their first tokens, and of tokens that open and close."""

    cases: np.ndarray
    parted: np.ndarray  # special cases that change their text even where it is one token
    firsts: np.ndarray
    opening: np.ndarray
    closing: np.ndarray


@kernel
def cut_chunks(data, start, end, of_shape, first, cuts, numbers, blocks, specials, begin, stop, flags, sure):
    """Cut chunks as their shapes: before the pieces ``cuts[first[s]:first[s + 1]]``; of chunks without one, s is -1.

    A piece is a word, a number or a mark. ``begin`` and ``stop`` receive the place of each token in its chunk,
    ``flags`` those of each chunk. ``sure`` are chunks among whose tokens there can be no special case.
    """
    m = 0
    for i in range(start.size):
        shape = of_shape[i]
        if shape < 0:
            continue
        token = m
        at, to = np.int64(start[i]), np.int64(end[i])
        begin[m] = 0
        cut, piece, before = first[shape], -1, NONE
        while at < to and cut < first[shape + 1]:
            code, width = decode(data, at, to)
            kind = kind_of(code, numbers, blocks)
            if not (kind == before == DIGIT or (is_letter(kind) and is_letter(before))):
                piece += 1
                if piece == cuts[cut]:
                    stop[m] = begin[m + 1] = at - start[i]
                    m, cut = m + 1, cut + 1
            before = kind
            at += width
        stop[m] = to - start[i]
        m += 1
        sure[i] = not _has_special(data, start[i], begin[token:m], stop[token:m], specials)
        opens = contains_sorted(hash_word(data, np.int64(start[i]), np.int64(start[i] + stop[token])), specials.opening)
        closes = contains_sorted(hash_word(data, np.int64(start[i] + begin[m - 1]), to), specials.closing)
        flags[i] = OPENS * opens + CLOSES * closes


@kernel
def _has_special(data, start, begin, stop, specials):
    """True if a special case may be made of some of a chunk's tokens."""
    for i in range(begin.size):
        first = np.int64(start + begin[i])
        token = hash_word(data, first, np.int64(start + stop[i]))
        if contains_sorted(token, specials.firsts):
            if contains_sorted(token, specials.parted):
                return True
            for j in range(i + 1, begin.size):
                if contains_sorted(hash_word(data, first, np.int64(start + stop[j])), specials.cases):
                    return True
    return False
