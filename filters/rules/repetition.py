"""Gopher's repetition rules (Rae et al. 2021, arXiv:2112.11446, table A1): a text must not say the same again.

How we count, where the paper leaves it open or the common code errs:

* Words are those with more to them than marks, as white space would part them: where each mark is a word, "(2020
  est.)" is five, and half of an almanac's entries fail.
* All shares are of the characters in words; white space and marks count nowhere. (datatrove divides characters of
  words by those of the text, which makes shares 15 to 20 % smaller.)
* Lines and paragraphs are told apart by their words, so indentation and wrapping do not matter; without, they are none.
  A paragraph ends at a blank line. Only what repeats counts, the first of its kind is free.
* The top n-gram is the one that comes most often, and at least twice; of several, the one that covers most. Its share
  is of the characters it covers, so it is never above 1: "a a a" is covered once by "a a", not twice.
* The thresholds are the paper's. Of almanacs a quarter and of web pages a tenth lie above those for 5 words and more;
  what repeats its lines or phrases on purpose lies above 0.66, so a recipe may well ask for less.
* Repeated n-grams are found from left to right: where n words stood before, they count and are stepped over.
"""

from typing import ClassVar, Literal

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Filter, Rule
from gristmill.filters.text.repeated_ngrams import drop_singletons, intern_keys, join_ngrams, keep_repeats, table_for
from gristmill.filters.words.words import BEGINS_LINE, BEGINS_PARAGRAPH, PUNCTUATION_ONLY
from gristmill.pipelines.kernels.hashing import mix
from gristmill.pipelines.kernels.intrinsics import kernel

TOP, DUPLICATE = range(2, 5), range(5, 11)  # lengths of n-grams
MEASURES = (
    *("dup_paragraphs", "dup_paragraph_chars", "dup_lines", "dup_line_chars"),
    *(f"top_{n}_gram" for n in TOP),
    *(f"dup_{n}_grams" for n in DUPLICATE),
)


class Repetition(Filter):
    """Drops documents that repeat lines, paragraphs or runs of words. Each measure is a share from 0 to 1."""

    NAME: ClassVar[str] = "repetition"
    MEASURED: ClassVar[tuple[str, ...]] = ("variant",)

    variant: Literal["gristmill"] = "gristmill"  # others: filters/variants

    max_dup_paragraphs: float | None = 0.30  # of the paragraphs
    max_dup_paragraph_chars: float | None = 0.20
    max_dup_lines: float | None = 0.30  # of the lines
    max_dup_line_chars: float | None = 0.20
    max_top_2_gram: float | None = 0.20
    max_top_3_gram: float | None = 0.18
    max_top_4_gram: float | None = 0.16
    max_dup_5_grams: float | None = 0.15
    max_dup_6_grams: float | None = 0.14
    max_dup_7_grams: float | None = 0.13
    max_dup_8_grams: float | None = 0.12
    max_dup_9_grams: float | None = 0.11
    max_dup_10_grams: float | None = 0.10

    def measure(self, batch: Batch) -> pl.DataFrame:
        """A document without words repeats nothing: all shares are 0."""
        offsets, _, _, hashes, lengths, flags = batch.words
        words = int(np.diff(offsets).max(initial=0))
        scratch = [np.empty(words, kind) for kind in (np.uint64, np.uint64, np.int32, np.int32, np.int32, np.int32)]
        shares = np.zeros((len(MEASURES), batch.text.rows))
        measure_repeats(offsets, hashes, lengths, flags, PUNCTUATION_ONLY, *scratch, table_for(words), shares)
        return pl.DataFrame(dict(zip(MEASURES, shares, strict=True)))

    def rules(self) -> dict[str, Rule]:
        return {name.replace("dup_", "duplicate_"): Rule(name, ">", getattr(self, f"max_{name}")) for name in MEASURES}


@kernel
def measure_repeats(
    offsets, hashes, lengths, flags, ignored, keys, distinct, counts, numbers, place, chars, table, shares
):
    """Words, but those flagged ``ignored`` -> shares float64[13, documents] in the order of MEASURES.

    The arrays between are scratch, as long as the longest document has words.
    """
    for row in range(offsets.size - 1):
        first, last = offsets[row], offsets[row + 1]
        for level, boundary in enumerate((BEGINS_PARAGRAPH, BEGINS_LINE)):
            pieces, total = cut(first, last, hashes, lengths, flags, ignored, boundary, keys, chars)
            if pieces:
                unique = intern_keys(keys, pieces, table, distinct, counts, numbers)
                shares[2 * level, row] = (pieces - unique) / pieces
                shares[2 * level + 1, row] = repeated_chars(pieces, numbers, chars) / total
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
    """Cut at words flagged ``boundary`` -> a key and the characters of each piece; how many, and all characters."""
    pieces, total, key, length = 0, 0, np.uint64(0), 0
    for i in range(first, last):
        if flags[i] & boundary and length:
            keys[pieces], chars[pieces] = key, length
            pieces, key, length = pieces + 1, np.uint64(0), 0
        if not flags[i] & ignored:
            key = mix(key ^ hashes[i], np.uint64(0x9E3779B97F4A7C15))
            length += lengths[i]
            total += lengths[i]
    if length:
        keys[pieces], chars[pieces] = key, length
        pieces += 1
    return pieces, total


@kernel
def gather(first, last, hashes, lengths, flags, ignored, keys, chars, place):
    """The keys and characters of the words that count, and their places among them; how many, and all characters."""
    n = total = 0
    for i in range(first, last):
        keys[n], chars[n], place[n] = hashes[i], lengths[i], n
        if not flags[i] & ignored:
            n += 1
            total += lengths[i]
    return n, total


@kernel
def repeated_chars(n, numbers, chars):
    """The characters of pieces whose number came before."""
    seen = total = 0
    for i in range(n):
        if numbers[i] == seen:  # numbers are given in the order of first appearance
            seen += 1
        else:
            total += chars[i]
    return total


@kernel
def top_chars(length, found, n, counts, numbers, place, chars, scratch):
    """The characters covered by the most frequent n-gram, if it repeats; of several the most."""
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
    """The characters of n-grams that stood before, from left to right, none counted twice."""
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
