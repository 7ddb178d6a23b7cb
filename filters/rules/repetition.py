"""Gopher's repetition rules (Rae et al. 2021, arXiv:2112.11446, table A1).

The paper leaves some counts open, and common code counts some of them wrongly. We count as follows:

* Words: tokens that are not punctuation only. With punctuation as words, "(2020 est.)" is five words, and half of the
  entries of an almanac fail.
* Shares: of the characters in words, without white space and punctuation. (datatrove divides characters of words by
  characters of the text: its shares are 15 to 20 % smaller.)
* Lines and paragraphs: compared by their words, so indentation and wrapping do not matter. Those without words do not
  count. A blank line ends a paragraph. The first copy is not a duplicate.
* Top n-gram: the most frequent one, with at least two occurrences; of several, the one that covers most characters. The
  share is at most 1: "a a" covers "a a a" once, not twice.
* Duplicate n-grams: found from left to right. An n-gram that occurred before counts, and the scan continues behind it.
* Thresholds: the paper's. A quarter of almanacs and a tenth of web pages exceed the thresholds for 5 words and more.
  Documents that repeat lines or phrases on purpose exceed 0.66, so a recipe may use higher thresholds.
"""

from typing import Literal

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.rules.paper_thresholds import SHARES, RepetitionSettings
from gristmill.filters.text.repeated_ngrams import drop_singletons, intern_keys, join_ngrams, keep_repeats, table_for
from gristmill.filters.words.words import BEGINS_LINE, BEGINS_PARAGRAPH, PUNCTUATION_ONLY
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, mix
from gristmill.pipelines.kernels.intrinsics import kernel


class Repetition(RepetitionSettings):
    """Rule set that drops documents that repeat lines, paragraphs or n-grams of words."""

    variant: Literal["gristmill"] = "gristmill"  # others: filters/rules/variants

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return the columns of SHARES; a document without words has 0 in each."""
        offsets, _, _, hashes, lengths, flags = batch.words
        words = int(np.diff(offsets).max(initial=0))
        scratch = [np.empty(words, kind) for kind in (np.uint64, np.uint64, np.int32, np.int32, np.int32, np.int32)]
        shares = np.zeros((len(SHARES), batch.text.rows))
        measure_repeats(offsets, hashes, lengths, flags, PUNCTUATION_ONLY, *scratch, table_for(words), shares)
        return pl.DataFrame(dict(zip(SHARES, shares, strict=True)))


@kernel
def measure_repeats(
    offsets, hashes, lengths, flags, ignored, keys, distinct, counts, numbers, place, chars, table, shares
):
    """Fill ``shares`` float64[13, documents], in the order of SHARES, from the words without an ``ignored`` flag.

    The arrays between are scratch, with one place per word of the longest document.
    """
    for row in range(offsets.size - 1):
        first, last = offsets[row], offsets[row + 1]
        for level, boundary in enumerate((BEGINS_PARAGRAPH, BEGINS_LINE)):
            parts, total = cut(first, last, hashes, lengths, flags, ignored, boundary, keys, chars)
            if parts:
                unique = intern_keys(keys, parts, table, distinct, counts, numbers)
                shares[2 * level, row] = (parts - unique) / parts
                shares[2 * level + 1, row] = repeated_chars(parts, numbers, chars) / total
        n, total = gather(first, last, hashes, lengths, flags, ignored, keys, chars, place)
        intern_keys(keys, n, table, distinct, counts, numbers)
        for length in range(2, 11):
            n = join_ngrams(keep_repeats(n, counts, place, numbers), place, numbers, keys)
            n = drop_singletons(n, place, keys, table)
            if n == 0:
                break
            found = intern_keys(keys, n, table, distinct, counts, numbers)
            if length < 5:
                covered = top_chars(length, found, n, counts, numbers, place, chars, table)
            else:
                covered = duplicate_chars(length, found, n, numbers, place, chars, table)
            shares[2 + length, row] = covered / total


@kernel
def cut(first, last, hashes, lengths, flags, ignored, boundary, keys, chars):
    """Cut at words flagged ``boundary``; return the number of parts and their characters, and fill those of each."""
    parts, total, key, length = 0, 0, np.uint64(0), 0
    for i in range(first, last):
        if flags[i] & boundary and length:
            keys[parts], chars[parts] = key, length
            parts, key, length = parts + 1, np.uint64(0), 0
        if not flags[i] & ignored:
            key = mix(key ^ hashes[i], GOLDEN_RATIO)
            length += lengths[i]
            total += lengths[i]
    if length:
        keys[parts], chars[parts] = key, length
        parts += 1
    return parts, total


@kernel
def gather(first, last, hashes, lengths, flags, ignored, keys, chars, place):
    """Fill key, characters and place of each word that counts; return their number and their characters."""
    n = total = 0
    for i in range(first, last):
        keys[n], chars[n], place[n] = hashes[i], lengths[i], n
        if not flags[i] & ignored:
            n += 1
            total += lengths[i]
    return n, total


@kernel
def repeated_chars(n, numbers, chars):
    """Return the characters of the parts whose number occurred before."""
    seen = total = 0
    for i in range(n):
        if numbers[i] == seen:  # numbers are given in the order of first appearance
            seen += 1
        else:
            total += chars[i]
    return total


@kernel
def top_chars(length, found, n, counts, numbers, place, chars, scratch):
    """Return the characters covered by the most frequent n-gram, 0 if none repeats; of several, the largest cover."""
    most = 0
    for number in range(found):
        most = max(most, counts[number])
    if most < 2:
        return 0
    until, covered = scratch[:found], scratch[found : 2 * found]
    for number in range(found):
        until[number] = covered[number] = 0
    best = 0
    for i in range(n):
        number = numbers[i]
        if counts[number] == most:
            for word in range(max(place[i], until[number]), place[i] + length):
                covered[number] += chars[word]
            until[number] = place[i] + length
            best = max(best, covered[number])
    return best


@kernel
def duplicate_chars(length, found, n, numbers, place, chars, scratch):
    """Return the characters of n-grams that occurred before, from left to right, each counted once."""
    for number in range(found):
        scratch[number] = False
    free = total = 0
    for i in range(n):
        if place[i] < free:
            continue
        if scratch[numbers[i]]:
            free = place[i] + length
            for word in range(place[i], free):
                total += chars[word]
        scratch[numbers[i]] = True
    return total
