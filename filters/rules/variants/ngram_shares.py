"""Words between white space, copies of lines and shares of n-grams, which several published rule sets count."""

import numpy as np

from gristmill.filters.rules.paper_thresholds import SHARES
from gristmill.filters.text.repeated_ngrams import intern_keys, join_ngrams, keep_repeats, table_for
from gristmill.filters.words.str_compat import Parts, characters_in, find_chunks, stripped
from gristmill.pipelines.kernels.hashing import hash64, hash_word
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged

SINGLES, LONGEST = 0, 1  # top n-gram: the first of the most frequent, also if it occurs once; the longest, if repeated
OF_N_GRAMS, OF_WORDS = 0, 1  # characters of all copies, of all n-grams; of the words in copies, of all words


def split_words(text: Ragged) -> tuple[np.ndarray, ...]:
    """Split by ``str.split``: offsets int64[n + 1], start and end int32[m], hash uint64[m], characters int32[m]."""
    most = text.data.size // 2 + text.rows
    start, end, begins = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.uint8)
    offsets = np.zeros(text.rows + 1, np.int64)
    find_chunks(*text, offsets, start, end, begins)
    start, end = start[: offsets[-1]].copy(), end[: offsets[-1]].copy()
    hashes, lengths = np.empty(start.size, np.uint64), np.empty(start.size, np.int32)
    _describe(text.data, start, end, hashes, lengths)
    return offsets, start, end, hashes, lengths


@kernel
def _describe(data, start, end, hashes, lengths):
    for j in range(start.size):
        hashes[j] = hash_word(data, np.int64(start[j]), np.int64(end[j]))
        lengths[j] = characters_in(data, start[j], end[j])


@kernel
def ends_with(data, begin, end, ending):
    """True if ``data[begin:end]`` ends with the bytes ``ending``."""
    if end - begin < ending.size:
        return False
    for k in range(ending.size):
        if data[end - ending.size + k] != ending[k]:
            return False
    return True


def black_parts(data: np.ndarray, parts: Parts) -> Parts:
    """Return the parts stripped, without blank ones."""
    offsets, start, end = np.zeros_like(parts.offsets), np.empty_like(parts.start), np.empty_like(parts.end)
    length, key = np.empty_like(parts.length), np.empty_like(parts.key)
    _strip_parts(data, *parts[:3], offsets, start, end, length, key)
    return Parts(offsets, *(column[: offsets[-1]] for column in (start, end, length, key)))


@kernel
def _strip_parts(data, offsets, start, end, kept, begin, stop, length, key):
    m = 0
    for row in range(offsets.size - 1):
        for j in range(offsets[row], offsets[row + 1]):
            first, last = stripped(data, start[j], end[j])
            if first < last:
                begin[m], stop[m], key[m] = first, last, hash64(data, first, last)
                length[m] = characters_in(data, first, last)
                m += 1
        kept[row + 1] = m


def copies(parts: Parts) -> tuple[np.ndarray, np.ndarray]:
    """Return int64[n] each: parts that occur more than once in their document, every copy counted; their characters."""
    found = np.zeros((2, parts.offsets.size - 1), np.int64)
    most = int(np.diff(parts.offsets).max(initial=0))
    scratch = [np.empty(most, kind) for kind in (np.uint64, np.int32, np.int32)]
    _copies(parts.offsets, parts.length, parts.key, *scratch, table_for(most), found)
    return found[0], found[1]


@kernel
def _copies(offsets, length, key, distinct, counts, numbers, table, found):
    for row in range(offsets.size - 1):
        first, n = offsets[row], offsets[row + 1] - offsets[row]
        intern_keys(key[first : first + n], n, table, distinct, counts, numbers)
        for i in range(n):
            if counts[numbers[i]] > 1:
                found[0, row] += 1
                found[1, row] += length[first + i]


def n_gram_shares(offsets: np.ndarray, hashes: np.ndarray, lengths: np.ndarray, top: int, share: int) -> np.ndarray:
    """Return float64[13, documents] in the order of SHARES; the first four are 0."""
    shares = np.zeros((len(SHARES), offsets.size - 1))
    most = int(np.diff(offsets).max(initial=0))
    scratch = [np.empty(most, kind) for kind in (np.uint64, np.uint64, np.int32, np.int32, np.int32)]
    _n_gram_shares(offsets, hashes, lengths, top, share, *scratch, table_for(most), shares)
    return shares


@kernel
def _n_gram_shares(offsets, hashes, lengths, top, share, keys, distinct, counts, numbers, place, table, shares):
    for row in range(offsets.size - 1):
        first, every = offsets[row], offsets[row + 1] - offsets[row]
        chars = lengths[first : first + every]
        total = 0
        for word in range(every):
            total += chars[word]
            place[word] = word
        n = every
        intern_keys(hashes[first : first + n], n, table, distinct, counts, numbers)
        for length in range(2, min(10, every) + 1):
            n = join_ngrams(keep_repeats(n, counts, place, numbers), place, numbers, keys)
            found = intern_keys(keys, n, table, distinct, counts, numbers)
            if length < 5:
                shares[2 + length, row] = top_share(length, n, found, counts, numbers, place, chars, top) / total
            elif share == OF_WORDS:
                shares[2 + length, row] = covered(length, n, counts, numbers, place, chars) / total
            else:
                copied = 0
                for i in range(n):
                    if counts[numbers[i]] > 1:
                        copied += size(length, place[i], chars)
                shares[2 + length, row] = copied / n_gram_chars(length, chars)


@kernel
def n_gram_chars(length, chars):
    """Return the characters of all n-grams of a document: a word lies in up to ``length`` of its n-grams."""
    n, total = chars.size, 0
    for word in range(n):
        total += chars[word] * min(word + 1, length, n - word, n - length + 1)
    return total


@kernel
def size(length, place, chars):
    """Return the characters of the n-gram at ``place``."""
    total = 0
    for word in range(place, place + length):
        total += chars[word]
    return total


@kernel
def top_share(length, n, found, counts, numbers, place, chars, top):
    """Return the characters of all copies of the most frequent n-gram."""
    most = 1
    for number in range(found):
        most = max(most, counts[number])
    if most == 1:
        return size(length, 0, chars) if top == SINGLES else 0
    longest = 0
    for i in range(n):
        if counts[numbers[i]] == most:
            longest = max(longest, size(length, place[i], chars))
            if top == SINGLES:
                break
    return longest * most


@kernel
def covered(length, n, counts, numbers, place, chars):
    """Return the characters of the words in n-grams that occur more than once, each word once."""
    free = total = 0
    for i in range(n):
        if counts[numbers[i]] > 1:
            for word in range(max(free, place[i]), place[i] + length):
                total += chars[word]
            free = place[i] + length
    return total
