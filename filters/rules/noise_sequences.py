"""Words in their order: unbroken runs, addresses, the same few words over and over, sentences that begin wrongly."""

from typing import NamedTuple

import numpy as np

from gristmill.filters.text.sentence_ends import is_one_of
from gristmill.filters.words.unicode_words import unicode_words
from gristmill.filters.words.words import BEGINS_LINE, HAS_LETTER, Words
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.kernels.utf8 import LOWER, UPPER, character_class, decode
from gristmill.pipelines.ragged import Ragged

UNBROKEN = 40  # bytes of a run without a space that no word or path explains
WINDOW = 250  # words looked at for how few they are; the share of the commonest falls with length
MIN_WINDOW, TOP = 100, 10
SLOTS = 512  # of the table of words, a power of two above WINDOW
MIN_STARTS = 12  # words behind full stops: a few may be abbreviations
MIN_ARTICLES = 10

ARMENIAN = 0x530  # the first of its characters; Latin, Greek and Cyrillic lie before
FUNCTION_WORDS = [  # of English; behind "the" none of them stands
    *("of", "to", "in", "and", "for", "on", "with", "at", "by", "from", "as", "but", "or", "not", "if", "that"),
    *("which", "is", "was", "are", "were", "be", "been", "has", "had", "have", "who", "this", "the", "a", "an"),
    *("it", "he", "she", "they", "his", "her", "their"),
]


class Sequences(NamedTuple):
    """Counts of each document, int64[n] each."""

    bytes: np.ndarray  # of words
    addresses: np.ndarray  # bytes of words that begin with http or www.
    unbroken: np.ndarray  # bytes of ASCII runs of over UNBROKEN bytes, addresses not counted
    counted: np.ndarray  # words, WINDOW at most; 0 for fewer than MIN_WINDOW
    top_words: np.ndarray  # how many of these are one of the TOP commonest
    starts: np.ndarray  # words with a cased first letter behind a word with . ! ? in their line; 0 below MIN_STARTS
    lower_starts: np.ndarray  # those in lower case
    articles: np.ndarray  # words "the"; 0 for fewer than MIN_ARTICLES
    lost: np.ndarray  # those followed by one of FUNCTION_WORDS


def count_sequences(text: Ragged, words: Words) -> Sequences:
    counts = np.zeros((9, text.rows), np.int64)
    keys, owner, count = np.zeros(SLOTS, np.uint64), np.full(SLOTS, -1, np.int64), np.zeros(SLOTS, np.int64)
    _count_top_words(words.offsets, words.hash, words.flags, keys, owner, count, np.zeros(TOP, np.int64), counts)
    the, capital_the = unicode_words(Ragged.from_strings(["the The"])).hash
    function_words = unicode_words(Ragged.from_strings(FUNCTION_WORDS)).hash
    _count_runs(text.data, *words, the, capital_the, function_words, counts)
    return Sequences(*counts)


@kernel
def _count_top_words(first, hashes, flags, keys, owner, count, top, counts):
    """How many of the first WINDOW words with a letter are one of the TOP commonest."""
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
    """Put a value into an array that falls, and drop its last."""
    k = top.size - 1
    while k > 0 and top[k - 1] < value:
        top[k] = top[k - 1]
        k -= 1
    top[k] = value


@kernel
def _count_runs(data, first, start, end, hashes, length, flags, the, capital_the, function_words, counts):
    """All counts but those of the commonest words, in one pass over the words: three passes took twice as long."""
    for i in range(first.size - 1):
        n_bytes = n_addresses = n_unbroken = n_starts = n_lower = n_articles = n_lost = 0
        ended = article = behind_letters = False  # what the word before was
        ascii_only = True
        begin = before = np.int64(-1)  # where the run so far begins and ends
        for j in range(first[i], first[i + 1] + 1):
            inside = j < first[i + 1]
            if not inside or start[j] != before:  # the run is over
                size = before - begin
                n_bytes += size
                if size >= 8 and is_address(data, begin):
                    n_addresses += size
                elif size > UNBROKEN and ascii_only:
                    n_unbroken += size
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
                if article:
                    n_lost += is_one_of(hashes[j], function_words)
                ended = False
            elif behind_letters and not spaced:  # not the "." of "1. item", ". . .", ".. note::" and $a . $b
                last = data[before - 1]
                ended = last == 0x2E or last == 0x21 or last == 0x3F  # . ! ?
            else:
                ended = False
            article = (hashes[j] == the) | (hashes[j] == capital_the)
            n_articles += article
            behind_letters = letters
        counts[0, i], counts[1, i], counts[2, i] = n_bytes, n_addresses, n_unbroken
        if n_starts >= MIN_STARTS:
            counts[5, i], counts[6, i] = n_starts, n_lower
        if n_articles >= MIN_ARTICLES:
            counts[7, i], counts[8, i] = n_articles, n_lost


@kernel
def is_address(data, start):
    """Do at least 4 bytes from ``start`` on begin with http or www.? In lower case, as addresses are pasted."""
    byte = data[start]
    if byte == 0x68:
        return data[start + 1] == 0x74 and data[start + 2] == 0x74 and data[start + 3] == 0x70
    return byte == 0x77 and data[start + 1] == 0x77 and data[start + 2] == 0x77 and data[start + 3] == 0x2E


@kernel
def first_case(data, start, end):
    """UPPER or LOWER for a word that begins with a letter of Latin, Greek or Cyrillic, else 0.

    Armenian has case too, but its full stop is a colon: behind it a sentence goes on.
    """
    byte = data[start]
    if byte < 0x80:
        return UPPER if 0x41 <= byte <= 0x5A else LOWER if 0x61 <= byte <= 0x7A else 0
    code = decode(data, start, np.int64(end))[0]
    kind = character_class(code)
    return kind if code < ARMENIAN and (kind in (UPPER, LOWER)) else 0
