"""Counts over words in their order: long runs, URLs, the most frequent words, lower-case sentence starts, "the of"."""

from typing import NamedTuple

import numpy as np

from gristmill.filters.text.sentence_ends import is_one_of
from gristmill.filters.words.unicode_words import unicode_words
from gristmill.filters.words.words import BEGINS_LINE, HAS_LETTER, Words
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.kernels.utf8 import LOWER, UPPER, character_class, decode
from gristmill.pipelines.ragged import Ragged

MAX_RUN = 40  # bytes of a run without a space; words and paths are shorter
WINDOW = 250  # first words that top_words counts: the share of the most frequent falls with length
MIN_WINDOW, TOP = 100, 10
SLOTS = 512  # of the hash table of words, a power of two above WINDOW
MIN_STARTS = 12  # words after full stops: a few may follow abbreviations
MIN_THE_WORDS = 10

ARMENIAN = 0x530  # first character; those of Latin, Greek and Cyrillic lie below
FUNCTION_WORDS = [  # of English; none follows "the"
    *("of", "to", "in", "and", "for", "on", "with", "at", "by", "from", "as", "but", "or", "not", "if", "that"),
    *("which", "is", "was", "are", "were", "be", "been", "has", "had", "have", "who", "this", "the", "a", "an"),
    *("it", "he", "she", "they", "his", "her", "their"),
]


class Sequences(NamedTuple):
    """Counts of each document, int64[n] each."""

    word_bytes: np.ndarray
    url_bytes: np.ndarray  # bytes of runs that begin with http or www.
    long_run_bytes: np.ndarray  # bytes of other ASCII runs of more than MAX_RUN bytes
    window_words: np.ndarray  # words with a letter, WINDOW at most; 0 for fewer than MIN_WINDOW
    top_words: np.ndarray  # of these, occurrences of the TOP most frequent
    sentence_starts: np.ndarray  # words with case after a full stop in their line; 0 for fewer than MIN_STARTS
    lowercase_starts: np.ndarray  # of these, those in lower case
    the_words: np.ndarray  # occurrences of "the"; 0 for fewer than MIN_THE_WORDS
    bad_the_bigrams: np.ndarray  # of these, those before one of FUNCTION_WORDS


def count_sequences(text: Ragged, words: Words) -> Sequences:
    """Return the counts of each document; a run is a sequence of words without white space between them."""
    counts = np.zeros((9, text.rows), np.int64)
    keys, owner, count = np.zeros(SLOTS, np.uint64), np.full(SLOTS, -1, np.int64), np.zeros(SLOTS, np.int64)
    _count_top_words(words.offsets, words.hash, words.flags, keys, owner, count, np.zeros(TOP, np.int64), counts)
    the, capital_the = unicode_words(Ragged.from_strings(["the The"])).hash
    function_words = unicode_words(Ragged.from_strings(FUNCTION_WORDS)).hash
    _count_runs(text.data, *words, the, capital_the, function_words, counts)
    return Sequences(*counts)


@kernel
def _count_top_words(first, hashes, flags, keys, owner, count, top, counts):
    """Count the first WINDOW words with a letter, and the occurrences of the TOP most frequent among them."""
    for i in range(first.size - 1):
        seen = 0
        top[:] = 0
        for j in range(first[i], first[i + 1]):
            if not flags[j] & HAS_LETTER:
                continue
            if seen == WINDOW:
                break
            seen += 1
            slot = np.int64(hashes[j] & np.uint64(SLOTS - 1))
            while owner[slot] == i and keys[slot] != hashes[j]:
                slot = (slot + 1) & (SLOTS - 1)
            if owner[slot] != i:
                owner[slot], keys[slot], count[slot] = i, hashes[j], 0
            count[slot] += 1
        if seen >= MIN_WINDOW:
            for slot in range(SLOTS):
                if owner[slot] == i and count[slot] > top[TOP - 1]:
                    insert(top, count[slot])
            counts[3, i], counts[4, i] = seen, top.sum()


@kernel
def insert(top, value):
    """Insert a value into a descending array, and drop the last."""
    k = top.size - 1
    while k > 0 and top[k - 1] < value:
        top[k] = top[k - 1]
        k -= 1
    top[k] = value


@kernel
def _count_runs(data, first, start, end, hashes, length, flags, the, capital_the, function_words, counts):
    """Fill the other counts in one pass over the words: three passes took twice as long."""
    for i in range(first.size - 1):
        n_bytes = n_urls = n_long = n_starts = n_lower = n_the = n_bad = 0
        ended = follows_the = follows_letters = False  # by the previous word
        ascii_only = True
        begin = before = np.int64(-1)  # start and end of the run so far
        for j in range(first[i], first[i + 1] + 1):
            inside = j < first[i + 1]
            if not inside or start[j] != before:  # the run is over
                size = before - begin
                n_bytes += size
                if size >= 8 and is_url(data, begin):
                    n_urls += size
                elif size > MAX_RUN and ascii_only:
                    n_long += size
                if not inside:
                    break
                begin = np.int64(start[j])
                ascii_only = True
                spaced = True
            else:
                spaced = False
            before = np.int64(end[j])
            ascii_only &= length[j] == before - start[j]
            letters = flags[j] & HAS_LETTER != 0
            if letters:
                if ended and spaced and not flags[j] & BEGINS_LINE:
                    case = first_case(data, begin, before)
                    n_starts += case != 0
                    n_lower += case == LOWER
                if follows_the:
                    n_bad += is_one_of(hashes[j], function_words)
                ended = False
            elif follows_letters and not spaced:  # not the "." of "1. item", ". . .", ".. note::" and $a . $b
                last = data[before - 1]
                ended = last == 0x2E
            else:
                ended = False
            follows_the = (hashes[j] == the) | (hashes[j] == capital_the)
            n_the += follows_the
            follows_letters = letters
        counts[0, i], counts[1, i], counts[2, i] = n_bytes, n_urls, n_long
        if n_starts >= MIN_STARTS:
            counts[5, i], counts[6, i] = n_starts, n_lower
        if n_the >= MIN_THE_WORDS:
            counts[7, i], counts[8, i] = n_the, n_bad


@kernel
def is_url(data, start):
    """True if at least 4 bytes from ``start`` on begin with http or www., in lower case."""
    byte = data[start]
    if byte == 0x68:
        return data[start + 1] == 0x74 and data[start + 2] == 0x74 and data[start + 3] == 0x70
    return byte == 0x77 and data[start + 1] == 0x77 and data[start + 2] == 0x77 and data[start + 3] == 0x2E


@kernel
def first_case(data, start, end):
    """Return UPPER or LOWER for a word that begins with a letter of Latin, Greek or Cyrillic, else 0.

    Armenian has case too, but its full stop looks like ":", and "." ends no sentence.
    """
    byte = data[start]
    if byte < 0x80:
        return UPPER if 0x41 <= byte <= 0x5A else LOWER if 0x61 <= byte <= 0x7A else 0
    code = decode(data, start, np.int64(end))[0]
    kind = character_class(code)
    return kind if code < ARMENIAN and (kind in (UPPER, LOWER)) else 0
