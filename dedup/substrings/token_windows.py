"""Windows of tokens: rolling hashes, hashes seen again, and the spans that repeated windows cover.

A token is a word, a letter of a script without spaces, or, with unit CHARACTER, any character.
"""

import numpy as np

from gristmill.dedup.exact.normalize import space_width
from gristmill.dedup.near.shingle_letters import SPACELESS, letters
from gristmill.dedup.near.shingles import scramble
from gristmill.dedup.passages.wrapping import line_break
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, hash_word
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, inline_kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged

WORD, CHARACTER = "word", "character"
CHECK_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)  # of the second hash


def tokens_of(text: Ragged, unit: str) -> tuple[np.ndarray, ...]:
    """Return each document's token offsets, int64[n + 1], and each token's start and end in the data, and hash."""
    offsets = np.zeros(text.rows + 1, np.int64)
    start, end = np.empty(text.data.size, np.int64), np.empty(text.data.size, np.int64)
    hashes = np.empty(text.data.size, np.uint64)
    n = _tokens(*text, letters(), unit == CHARACTER, offsets, start, end, hashes)
    return offsets, start[:n], end[:n], hashes[:n]


@allocating_kernel
def _tokens(offsets, data, table, characters, token_offsets, start, end, hashes):
    n = 0
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        inside = False  # a word of several letters
        while at < stop:
            byte = data[at]
            if byte > 32 and byte < 0x80:
                alone, width = characters, 1
            else:
                width = space_width(data, at, stop)
                if width and not characters:
                    inside = False
                    at += width
                    continue
                code, width = decode(data, at, stop)
                alone = characters or table[code] >= SPACELESS
            if alone or not inside:
                start[n], n = at, n + 1
            end[n - 1] = at + width
            inside = not alone
            at += width
        token_offsets[row + 1] = n
        for k in range(token_offsets[row], n):
            hashes[k] = hash_word(data, start[k], end[k])
    return n


@inline_kernel
def _power(multiplier, exponent):
    result = np.uint64(1)
    for _ in range(exponent):
        result *= multiplier
    return result


@allocating_kernel
def mark_windows(offsets, hashes, length, bits):
    """Set each window's bit in ``bits[0]``, and in ``bits[1]`` if it was set: uint64[2, n], n a power of two."""
    leaving, mask = _power(GOLDEN_RATIO, length), np.uint64(bits.shape[1] - 1)
    for row in range(offsets.size - 1):
        rolling = np.uint64(0)
        for k in range(offsets[row], offsets[row + 1]):
            rolling = rolling * GOLDEN_RATIO + hashes[k]
            if k >= offsets[row] + length:
                rolling -= leaving * hashes[k - length]
            if k >= offsets[row] + length - 1:
                key = scramble(rolling)
                bit, word = np.uint64(1) << (key & np.uint64(63)), (key >> np.uint64(6)) & mask
                bits[1, word] |= bits[0, word] & bit
                bits[0, word] |= bit


@allocating_kernel
def windows_seen_again(offsets, hashes, length, again, rows):
    """Fill ``rows`` (uint64[m, 4]: hash, check, document, token) with windows seen again; return their number."""
    leaving, other, mask = _power(GOLDEN_RATIO, length), _power(CHECK_MULTIPLIER, length), np.uint64(again.size - 1)
    n = 0
    for row in range(offsets.size - 1):
        rolling, check = np.uint64(0), np.uint64(0)
        for k in range(offsets[row], offsets[row + 1]):
            rolling, check = rolling * GOLDEN_RATIO + hashes[k], check * CHECK_MULTIPLIER + hashes[k]
            if k >= offsets[row] + length:
                rolling -= leaving * hashes[k - length]
                check -= other * hashes[k - length]
            if k >= offsets[row] + length - 1:
                key = scramble(rolling)
                if again[(key >> np.uint64(6)) & mask] >> (key & np.uint64(63)) & np.uint64(1):
                    rows[n, 0], rows[n, 1] = key, scramble(check)
                    rows[n, 2], rows[n, 3] = np.uint64(row), np.uint64(k - length + 1 - offsets[row])
                    n += 1
    return n


@allocating_kernel
def dropped_tokens(offsets, at, keeper, length):
    """Return runs of tokens covered by repeats and by no kept window: first, last + 1, keeper of the first window."""
    tokens = offsets[-1]
    covered, holding = np.zeros(tokens + 1, np.int64), np.zeros(tokens + 1, np.int64)
    keeper_of = np.full(tokens, -1, np.int64)
    for k in range(at.size):
        if keeper[k] < 0:
            covered[at[k]] += 1
            covered[at[k] + length] -= 1
            keeper_of[at[k]] = -1 - keeper[k]
        else:
            holding[at[k]] += 1
            holding[at[k] + length] -= 1
    first, last, kept = np.empty(at.size, np.int64), np.empty(at.size, np.int64), np.empty(at.size, np.int64)
    n, repeats, holds, keep = 0, 0, 0, -1
    for document in range(offsets.size - 1):
        inside = False
        for token in range(offsets[document], offsets[document + 1]):
            repeats += covered[token]
            holds += holding[token]
            if keeper_of[token] >= 0:
                keep = keeper_of[token]
            is_dropped = repeats > 0 and holds == 0
            if is_dropped and not inside:
                first[n], kept[n] = token, keep
            elif inside and not is_dropped:
                last[n], n = token, n + 1
            inside = is_dropped
        if inside:
            last[n], n = offsets[document + 1], n + 1
    return first[:n].copy(), last[:n].copy(), kept[:n].copy()


@allocating_kernel
def cut_spans(offsets, data, token_offsets, start, end, first, last):
    """Return runs of tokens as offset and length in bytes in their documents, with one separator around each kept."""
    where, size = np.empty(first.size, np.int64), np.empty(first.size, np.int64)
    for k in range(first.size):
        document = np.searchsorted(token_offsets, first[k], "right") - 1
        begin, stop = start[first[k]], end[last[k] - 1]
        leads, trails = first[k] == token_offsets[document], last[k] == token_offsets[document + 1]
        if not leads and not trails:
            before, behind = end[first[k] - 1], start[last[k]]
            if _breaks(data, before, begin) >= _breaks(data, stop, behind):
                stop = behind
            else:
                begin = before
        elif leads and not trails:
            stop = start[last[k]]
        elif trails and not leads:
            begin = end[first[k] - 1]
        where[k], size[k] = begin - offsets[document], stop - begin
    return where, size


@allocating_kernel
def _breaks(data, begin, end):
    """Count line breaks in white space."""
    lines, at = 0, begin
    while at < end:
        lines += line_break(data, at, end)
        at += max(1, space_width(data, at, end))
    return lines
