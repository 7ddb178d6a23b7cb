"""Gopher repetition as in datatrove 0.10.1. Differences from ours (filters/rules/repetition.py):

* Shares are of the characters of the text, with white space, so shares of n-grams are 15 to 20 % smaller.
* Lines and paragraphs lie between line breaks, unstripped: an indented copy is no duplicate. A text that begins and
  ends with a line break has two empty lines, the second a duplicate.
* A top n-gram that occurs once counts, so a document of five words is dropped; of several, the first counts.
* n-grams of five words and more are compared without the spaces between their words: "a bc" equals "ab c".
"""

from typing import ClassVar, Literal

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Count
from gristmill.filters.rules.paper_thresholds import SHARES, RepetitionSettings
from gristmill.filters.rules.repetition import duplicate_chars, repeated_chars
from gristmill.filters.rules.variants.shared import Published
from gristmill.filters.text.repeated_ngrams import drop_singletons, intern_keys, join_ngrams, keep_repeats, table_for
from gristmill.filters.words.str_compat import Parts, lengths, split_at_newlines
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, multiply


class DatatroveRepetition(Published, RepetitionSettings):
    """Rule set that drops documents that repeat lines, paragraphs or n-grams of words, by datatrove's shares."""

    RULES: ClassVar[tuple[str, ...]] = ("min_chars", *RepetitionSettings.RULES)

    variant: Literal["datatrove-0.10.1"] = "datatrove-0.10.1"
    min_chars: Count | None = 1

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return the columns of RULES; an empty document has 0 in each."""
        text, words = batch.text, batch.words
        chars = lengths(text)
        shares = np.zeros((len(SHARES), text.rows))
        paragraphs, lines = split_at_newlines(text, 2, True, True), split_at_newlines(text, 1, True)
        for level, parts in enumerate((paragraphs, lines)):
            again, again_chars = repeated_parts(parts)
            shares[2 * level] = again / np.diff(parts.offsets)
            shares[2 * level + 1] = again_chars / chars.clip(1)
        most = int(np.diff(words.offsets).max(initial=0))
        scratch = [np.empty(most, kind) for kind in (np.uint64, np.uint64, np.int32, np.int32, np.int32)]
        top_n_grams(words.offsets, words.hash, words.length, *scratch, table_for(most), chars, shares)
        prefix = [np.empty(most + 1, np.uint64) for _ in range(2)]
        repeated_n_grams(text.data, *words[:3], words.length, *prefix, *scratch, table_for(most), chars, shares)
        return pl.DataFrame({"chars": chars, **dict(zip(SHARES, shares, strict=True))})


def repeated_parts(parts: Parts) -> tuple[np.ndarray, np.ndarray]:
    """Return int64[n] each: parts that occurred before in their document, and their characters."""
    found = np.zeros((2, parts.offsets.size - 1), np.int64)
    most = int(np.diff(parts.offsets).max(initial=0))
    scratch = [np.empty(most, kind) for kind in (np.uint64, np.int32, np.int32)]
    _repeated_parts(parts.offsets, parts.length, parts.key, *scratch, table_for(most), found)
    return found[0], found[1]


@kernel
def _repeated_parts(offsets, length, key, distinct, counts, numbers, table, found):
    for row in range(offsets.size - 1):
        first, n = offsets[row], offsets[row + 1] - offsets[row]
        unique = intern_keys(key[first : first + n], n, table, distinct, counts, numbers)
        found[0, row] = n - unique
        found[1, row] = repeated_chars(n, numbers, length[first : first + n])


@kernel
def top_n_grams(offsets, hashes, lengths, keys, distinct, counts, numbers, place, table, chars, shares):
    """Fill the shares of all copies of the most frequent n-gram, joined by spaces; of several n-grams, the first."""
    for row in range(offsets.size - 1):
        first, every = offsets[row], offsets[row + 1] - offsets[row]
        n = every
        intern_keys(hashes[first : first + n], n, table, distinct, counts, numbers)
        for i in range(n):
            place[i] = i
        for length in range(2, 5):
            n = keep_repeats(n, counts, place, numbers)
            n = join_ngrams(n, place, numbers, keys)
            found = intern_keys(keys, n, table, distinct, counts, numbers)
            most = best = 0
            for number in range(found):
                if counts[number] > most:
                    most, best = counts[number], number
            where = 0  # if none repeats, the first n-gram of the text
            if most > 1:
                i = 0
                while numbers[i] != best:
                    i += 1
                where = place[i]
            most = max(most, 1)
            if every >= length:
                size = length - 1
                for word in range(where, where + length):
                    size += lengths[first + word]
                shares[2 + length, row] = size * most / chars[row]


PRIME = np.uint64((1 << 61) - 1)
BASE = np.uint64(0x15B4E3F2A7C9D08B)  # arbitrary, below PRIME; fixed, so all machines agree
INVERSE = np.uint64(pow(int(BASE), -1, int(PRIME)))


@inline_kernel
def times(a, b):
    """Return a * b modulo PRIME."""
    low, high = multiply(a, b)
    total = (low & PRIME) + (low >> np.uint64(61) | high << np.uint64(3))
    return total - PRIME if total >= PRIME else total


@kernel
def hash_prefixes(data, first, n, start, end, prefix, shift):
    """Sum byte k times BASE ** k over n joined words; fill the sum before each word and BASE ** -k at its start."""
    hash, power, back = np.uint64(0), np.uint64(1), np.uint64(1)
    prefix[0], shift[0] = hash, back
    for i in range(n):
        for at in range(start[first + i], end[first + i]):
            hash += times(np.uint64(data[at]) + np.uint64(1), power)
            hash = hash - PRIME if hash >= PRIME else hash
            power, back = times(power, BASE), times(back, INVERSE)
        prefix[i + 1], shift[i + 1] = hash, back


@kernel
def repeated_n_grams(
    data, offsets, start, end, lengths, prefix, shift, keys, distinct, counts, numbers, place, table, chars, shares
):
    """Fill the shares of n-grams that occurred before, from left to right, each counted once.

    n-grams are compared by a polynomial hash of their words joined without spaces: the difference of two prefixes. With
    61 bits, two of a million different n-grams have the same hash with probability 2e-7.
    """
    for row in range(offsets.size - 1):
        first, n = offsets[row], offsets[row + 1] - offsets[row]
        hash_prefixes(data, first, n, start, end, prefix, shift)
        for length in range(5, 11):
            if n < length:
                break
            for i in range(n - length + 1):
                difference = prefix[i + length] + PRIME - prefix[i]
                keys[i] = times(difference - PRIME if difference >= PRIME else difference, shift[i])
                place[i] = i
            left = drop_singletons(n - length + 1, place, keys, table)
            found = intern_keys(keys, left, table, distinct, counts, numbers)
            words = lengths[first : first + n]
            shares[2 + length, row] = duplicate_chars(length, found, left, numbers, place, words, table) / chars[row]
