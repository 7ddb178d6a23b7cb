"""What may become a piece: the substrings of the words that come often and are long, and all single characters.

Counted are the substrings of unique words, weighted by how often each word comes: no suffix array over the corpus, and
no frequent word is missed because the same character always follows it, as where seeds are branching substrings
(sentencepiece issues 615 and 1047). Substrings are told apart by 64-bit hashes: among 1e8, two agree with
probability 3e-4, and the worst that comes of it is a seed with too high a weight.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from pipelines.bits import inlined, kernel
from pipelines.hashing import mix
from pipelines.ragged import Ragged
from pipelines.utf8 import (
    DIGIT,
    HAN,
    HANGUL,
    HIRAGANA,
    KATAKANA,
    LETTER,
    LOWER,
    MARK,
    NUMBER,
    UNSPACED,
    UPPER,
    character_class,
    decode,
)
from tokenizers_lab.unigram.lattice import character_size

ANY, OTHERS, LETTERS, DIGITS, CJK, KOREAN, SOUTH_EAST = range(7)  # what a piece must not mix; ANY goes with each
GROUPS = np.full(16, OTHERS, np.uint8)
GROUPS[[LOWER, UPPER, LETTER]] = LETTERS
GROUPS[[DIGIT, NUMBER]] = DIGITS
GROUPS[[HAN, HIRAGANA, KATAKANA]] = CJK
GROUPS[[HANGUL]] = KOREAN
GROUPS[[UNSPACED]] = SOUTH_EAST
GROUPS[[MARK]] = ANY
SPACE = 0x2581  # ▁, which stands for a space: only a piece's first character
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
SEVERAL = -1  # different bytes follow
_NOTHING_BEHIND = np.empty(0, np.uint8)
ROUND = 1 << 24  # substrings that one pass may hold: more passes, each over a share of the hashes, for more


class Seeds(NamedTuple):
    """Candidates and their weights: of a character its count, of a longer one its count times its characters."""

    pieces: Ragged
    weights: np.ndarray  # float64


@kernel
def groups_of(data, split_digits, groups):
    """The group of each character, at its first byte."""
    at = 0
    while at < data.size:
        code, size = decode(data, at, data.size)
        kind = character_class(code)
        group = GROUPS[kind]
        if code == SPACE or (group == DIGITS and not split_digits):
            group = ANY
        groups[at] = group
        at += size


def seeds(
    words: Ragged, counts: np.ndarray, limit: int = 1_000_000, longest: int = 16, split_digits: bool = True
) -> Seeds:
    """The ``limit`` substrings of 2 to ``longest`` characters with the highest weights, and all characters.

    A substring that is but once in the corpus is none. Of equal weights the first met stays: words in a fixed order
    give the same seeds.
    """
    groups = np.zeros(words.data.size, np.uint8)
    groups_of(words.data, split_digits, groups)
    return seeds_among(words, counts, groups, limit, longest)


def seeds_among(
    words: Ragged, counts: np.ndarray, groups: np.ndarray, limit: int, longest: int, behind: np.ndarray | None = None
) -> Seeds:
    """As ``seeds``, no substring mixing groups (uint8, at each character's first byte; ANY goes with each).

    With ``behind``, the byte behind each word (uint8), a seed must have two different bytes behind it, and of equal
    weights the shorter stays, then the smaller bytes.
    """
    total = int(_survey(*words, groups, longest))
    rounds, found = max(1, -(-total // ROUND)), []
    for r in range(rounds):
        table = np.full(1 << max(10, int(2 * total // rounds * 5 // 4).bit_length()), -1, np.int32)
        room = table.size // 2
        keys, where = np.empty(room, np.uint64), np.empty(room, np.int64)
        size, chars, often = np.empty(room, np.uint16), np.empty(room, np.uint8), np.zeros(room, np.int64)
        follows = np.empty(room if behind is not None else 0, np.int16)
        n = _count(
            *(*words, groups, longest, counts, r, rounds, table, keys, where, size, chars, often),
            *(_NOTHING_BEHIND if behind is None else behind, follows),
        )
        keep = np.flatnonzero(often[:n] > 1 if behind is None else (often[:n] > 1) & (follows[:n] == SEVERAL))
        found.append((where[keep], size[keep], chars[keep], often[keep]))
        if len(found) > 8:
            found = [_best(found, limit, words.data if behind is not None else None)]
    where, size, chars, often = _best(found, limit, words.data if behind is not None else None)
    single, single_often = _characters(words, counts)
    offsets = np.concatenate(([0], np.cumsum(size, dtype=np.int64)))
    data = np.empty(offsets[-1], np.uint8)
    _copy(words.data, where, offsets, data)
    pieces = Ragged.of(
        np.concatenate((single.offsets, offsets[1:] + single.offsets[-1])), np.concatenate((single.data, data))
    )
    return Seeds(pieces, np.concatenate((single_often, often * chars)).astype(np.float64))


def _best(found: list, limit: int, data: np.ndarray | None) -> tuple:
    """Of all candidates those with the highest weights, in the order of their places.

    Of equal weights that which was met first; with ``data`` the shorter, then the smaller bytes.
    """
    where, size, chars, often = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((where, size, -(often * chars)) if data is not None else (size, where, -(often * chars)))
    if data is not None and 0 < limit < order.size:  # bytes matter only where the limit falls among equals
        last = order[limit - 1]
        equal = (often * chars == often[last] * chars[last]) & (size == size[last])
        places = np.flatnonzero(equal[order])
        tied = sorted(order[places].tolist(), key=lambda k: data[where[k] : where[k] + size[k]].tobytes())
        order[places] = tied
    order = order[:limit]
    order = order[np.lexsort((size[order], where[order]))]
    return where[order], size[order], chars[order], often[order]


def _characters(words: Ragged, counts: np.ndarray) -> tuple[Ragged, np.ndarray]:
    """Every character and how often it comes, the most frequent first."""
    often = np.zeros(0x110000, np.int64)
    _count_characters(*words, counts, often)
    codes = np.flatnonzero(often)
    codes = codes[np.lexsort((codes, -often[codes]))]
    return Ragged.from_strings([chr(code) for code in codes]), often[codes]


@kernel
def _count_characters(offsets, data, counts, often):
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        while at < stop:
            code, size = decode(data, at, stop)
            if size > 1 or code < 0x80:
                often[code] += counts[row]
            at += size


@inlined
def _may_follow(group, other):
    return group == ANY or other == ANY or group == other


@kernel
def _survey(offsets, data, groups, longest):
    """How many substrings there are."""
    total = 0
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        while at < stop:
            group, end, chars = groups[at], at + character_size(data[at]), 1
            while end < stop and chars < longest and _may_follow(group, groups[end]) and not _is_space(data, end, stop):
                group = max(group, groups[end])
                end += character_size(data[end])
                chars += 1
                total += 1
            at += character_size(data[at])
    return total


@inlined
def _is_space(data, at, stop):
    return data[at] == 0xE2 and at + 2 < stop and data[at + 1] == 0x96 and data[at + 2] == 0x81


@kernel
def _count(
    offsets, data, groups, longest, counts, part, parts, table, keys, where, size, chars, often, behind, follows
):
    """Count the substrings whose hash falls to this part; returns how many different ones there are.

    ``follows`` is filled, where it has room, with the byte that follows each, or SEVERAL.
    """
    mask, n = np.uint64(table.size - 1), 0
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        while at < stop:
            group, end, count = groups[at], at + character_size(data[at]), 1
            key = np.uint64(0)
            for i in range(at, min(end, stop)):
                key = (key ^ np.uint64(data[i])) * GOLDEN
            while end < stop and count < longest and _may_follow(group, groups[end]) and not _is_space(data, end, stop):
                group = max(group, groups[end])
                after = min(end + character_size(data[end]), stop)
                for i in range(end, after):
                    key = (key ^ np.uint64(data[i])) * GOLDEN
                    key ^= key >> np.uint64(29)
                end = after
                count += 1
                full = mix(key ^ GOLDEN, np.uint64(0xE7037ED1A0B428DB))
                if parts > 1 and (full >> np.uint64(32)) % np.uint64(parts) != np.uint64(part):
                    continue
                slot = full & mask
                while table[slot] >= 0 and keys[table[slot]] != full:
                    slot = (slot + np.uint64(1)) & mask
                entry = table[slot]
                if entry < 0:
                    if n == keys.size:  # parts are even, so there is room; a candidate more or less is no harm
                        continue
                    entry = n
                    table[slot] = entry
                    keys[entry], where[entry], size[entry], chars[entry] = full, at, end - at, count
                    n += 1
                    if follows.size:
                        follows[entry] = data[end] if end < stop else behind[row]
                often[entry] += counts[row]
                if follows.size and follows[entry] != (data[end] if end < stop else behind[row]):
                    follows[entry] = SEVERAL
            at += character_size(data[at])
    return n


@njit(nogil=True, cache=True)
def _copy(data, where, offsets, target):
    for k in range(where.size):
        for i in range(offsets[k + 1] - offsets[k]):
            target[offsets[k] + i] = data[where[k] + i]
