"""Shingles: overlapping runs of words (or characters), by which documents are compared.

1. Words are runs of letters, digits and underscores in lower case (``\\w+``). Case, punctuation and white space are
   ignored. Digits count, since tables that differ in their numbers only are not duplicates.
2. A shingle is ``shingle_size`` consecutive words. A shorter document is one shingle, so it matches its equals only.
3. If most letters belong to a script without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese), a shingle is
   ``shingle_size_unspaced`` consecutive characters of the lower-cased text, with spaces and punctuation.
4. A shingle's 64-bit hash is a polynomial over the hashes of its tokens, mixed.
"""

import numpy as np

from gristmill.dedup.near.shingle_letters import SPACELESS, letters
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64
from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged

CHUNK = 2048  # tokens hashed at a time: 16 KB stay in the L1 cache
MIXER = U64(0xD6E8FEB86659FD93)
ZERO, THIRTY_TWO = U64(0), U64(32)
START = U64(0xCBF29CE484222325)  # hash of a word before its first letter
CODE = np.uint32(0x1FFFFF)


def shingle_sets(text: Ragged, shingle_size: int = 5, shingle_size_unspaced: int = 8) -> Ragged:
    """Return each document's distinct shingles as sorted uint64 hashes; none if it has no letters.

    ``shingle_size`` 0 means shingles of characters for every script.
    """
    return Ragged.from_arrays(*_shingle_sets(*text, letters(), shingle_size, shingle_size_unspaced))


@allocating_kernel
def scramble(x):
    """Spread every bit of ``x`` over all 64."""
    x = (x ^ (x >> THIRTY_TWO)) * MIXER
    x = (x ^ (x >> THIRTY_TWO)) * MIXER
    return x ^ (x >> THIRTY_TWO)


@allocating_kernel
def is_spaceless(data, begin, end, table):
    """True if most letters belong to scripts without spaces, all of which lie at U+0E00 or above: lead byte 0xE0."""
    high = plain = 0
    for byte in data[begin:end]:  # a loop over the slice is vectorized, one over indices is not
        high += byte >= 0xE0
    if high == 0:
        return False
    for byte in data[begin:end]:
        plain += np.uint8((byte | 32) - 97) < 26
    if high <= plain:
        return False
    others, spaceless, at = 0, 0, begin
    while at < end:
        if data[at] < 0x80:
            others += table[data[at]] != 0
            at += 1
        else:
            code, length = decode(data, at, end)
            flagged = table[code] >= SPACELESS
            spaceless += flagged
            others += table[code] != 0 and not flagged
            at += length
    return spaceless > others


@allocating_kernel
def scan_words(data, at, end, table, tokens, filled):
    """Append hashes of words to ``tokens`` until it is full or the text ends; return the next byte, tokens filled.

    No branch depends on the end of a word: every byte stores the hash so far, and the end of a word advances the
    position to store at. Branching there took 5.6 ns per byte of English, against 2.1.
    """
    hash = START
    while at < end and filled < tokens.size:
        byte = data[at]
        if byte < 0x80:
            letter, length = U64(table[byte]), 1
        else:
            code, length = decode(data, at, end)
            letter = U64(table[code] & CODE)
        at += length
        tokens[filled] = hash
        filled += (letter == ZERO) & (hash != START)
        hash = START if letter == ZERO else (hash ^ letter) * GOLDEN_RATIO
    if hash != START:
        tokens[filled] = hash
        filled += 1
    return at, filled


@allocating_kernel
def scan_characters(data, at, end, table, tokens, filled):
    """Append hashes of lower-cased characters to ``tokens``, as `scan_words` appends words."""
    while at < end and filled < tokens.size:
        code, length = (np.int64(data[at]), 1) if data[at] < 0x80 else decode(data, at, end)
        letter = np.int64(table[code] & CODE)
        tokens[filled] = scramble(U64(letter if letter else code) + GOLDEN_RATIO)
        filled += 1
        at += length
    return at, filled


@allocating_kernel
def hash_windows(tokens, filled, size, hashes):
    """Hash all windows of ``size`` tokens (or all tokens, if fewer) into ``hashes``; return their number."""
    windows = max(filled - size + 1, min(filled, 1))
    size = min(size, filled)
    for i in range(windows):
        hash = tokens[i]
        for j in range(1, size):
            hash = hash * GOLDEN_RATIO + tokens[i + j]
        hashes[i] = scramble(hash)
    return windows


@allocating_kernel
def _shingle_sets(offsets, data, table, shingle_size, shingle_size_unspaced):
    n = offsets.size - 1
    longest = 0
    for i in range(n):
        longest = max(longest, offsets[i + 1] - offsets[i])
    tokens, hashes = np.empty(longest, U64), np.empty(longest, U64)
    out_offsets, out = np.zeros(n + 1, np.int64), np.empty(data.size, U64)
    at = 0
    for i in range(n):
        begin, end = offsets[i], offsets[i + 1]
        if shingle_size == 0 or is_spaceless(data, begin, end, table):
            _, filled = scan_characters(data, begin, end, table, tokens, 0)
            windows = hash_windows(tokens, filled, shingle_size_unspaced, hashes)
        else:
            _, filled = scan_words(data, begin, end, table, tokens, 0)
            windows = hash_windows(tokens, filled, shingle_size, hashes)
        at = sorted_distinct(hashes, windows, out, at)
        out_offsets[i + 1] = at
    return out_offsets, out[:at].copy()


@allocating_kernel
def sorted_distinct(hashes, count, out, at):
    """Write the distinct values of ``hashes[:count]`` in order to ``out`` from ``at``; return the place after them."""
    sorted_hashes = np.sort(hashes[:count])
    for j in range(count):
        if j == 0 or sorted_hashes[j] != sorted_hashes[j - 1]:
            out[at] = sorted_hashes[j]
            at += 1
    return at
