"""Text in segments that no piece crosses, so that each is encoded alone and cached.

Words are segments: a piece contains ▁ only at its beginning, in a model that holds to that. A longer word is split
between adjacent characters that no piece contains. So text without spaces, whose lines hardly ever recur, falls into
segments that do. With 8,000 pieces Japanese segments have 6.6 bytes on average, Russian ones 8.6, those of a mix of
languages 4.1.
"""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, load_u64, trailing_zeros
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.strings.codepoints import codepoint_at

ROW = np.uint64(0x9E3779B1)  # the followers of a character lie together, as letters of one alphabet do
ONES, TOPS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
MARKER = "▁".encode()
MARKS = np.uint64(MARKER[0]) * ONES


def adjacent_pairs(pieces: Ragged, size: int) -> np.ndarray:
    """Return a Bloom filter of the adjacent characters in pieces of code points: uint8[size], a power of two.

    A false positive only omits a split.
    """
    sieve = np.zeros(size, np.uint8)
    _enter(*pieces, sieve)
    return sieve


@inline_kernel
def _bit(code, after, sieve):
    return (np.uint64(code) * ROW + np.uint64(after)) & np.uint64(8 * sieve.size - 1)


@kernel
def _enter(offsets, codes, sieve):
    for row in range(offsets.size - 1):
        for i in range(offsets[row] + 1, offsets[row + 1]):
            bit = _bit(codes[i - 1], codes[i], sieve)
            sieve[bit >> np.uint64(3)] |= np.uint8(1) << np.uint8(bit & np.uint64(7))


@kernel
def split_segments(offsets, data, sieve, by_word, whole, documents, ends):
    """Fill ``documents`` (int64: first segment of each, then their number) and ``ends`` (int64: 0, then segment ends).

    Returns the number of segments. Without ``by_word`` a document is one word. Words of up to ``whole`` bytes are not
    split.
    """
    count = ends[0] = 0
    for row in range(offsets.size - 1):
        documents[row] = count
        at, stop = offsets[row], offsets[row + 1]
        while at < stop:
            word = _word_end(data, at, stop) if by_word else stop
            if word - at > whole:
                count = _cut_word(data, at, word, sieve, count, ends)
            count += 1
            ends[count] = at = word
    documents[offsets.size - 1] = count
    return count


@kernel
def _cut_word(data, at, stop, sieve, count, ends):
    """Write all segment ends of a word but the last: every place, counted if it is one (no branch to mispredict)."""
    code, size = codepoint_at(data, at, stop)
    at += size
    while at < stop:
        after, size = codepoint_at(data, at, stop)
        bit = _bit(code, after, sieve)
        ends[count + 1] = at
        count += 1 - np.int64(sieve[bit >> np.uint64(3)] >> np.uint8(bit & np.uint64(7)) & 1)
        code = after
        at += size
    return count


@inline_kernel
def _word_end(data, at, stop):
    """Return where the next ▁ after ``at`` begins, reading eight bytes at a time."""
    end = at + 1
    while end + 10 <= stop:
        other = load_u64(data, end) ^ MARKS  # the first byte of ▁ is 0 now; the lowest zero byte is found exactly
        zeros = (other - ONES) & ~other & TOPS
        if zeros == 0:
            end += 8
            continue
        end += trailing_zeros(zeros) >> 3
        if is_marker(data, end, stop):
            return end
        end += 1
    while end < stop and not is_marker(data, end, stop):
        end += 1
    return end


@inline_kernel
def is_marker(data, at, stop):
    return data[at] == 0xE2 and at + 2 < stop and data[at + 1] == 0x96 and data[at + 2] == 0x81
