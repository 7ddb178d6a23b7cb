"""N-grams of benchmark items, and the coverage of each item's n-grams by documents."""

import numpy as np

from gristmill.dedup.contamination.eval_sets import Item
from gristmill.dedup.contamination.phrases import is_phrase
from gristmill.dedup.near.shingle_letters import SPACELESS, letters
from gristmill.dedup.near.shingles import CODE, START, ZERO, scramble
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO
from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged

FILTER_BITS = 22  # a table of 4 MB that rejects nearly all windows before the search
TOP = np.uint64(64 - FILTER_BITS)


class EvalNgramIndex:
    """Index of the n-grams of all items, and the items of each n-gram."""

    def __init__(self, items: list[Item], ngram: int, min_words: int):
        rest = [(number, text) for number, item in enumerate(items) for text in item.rest]
        texts = Ragged.from_strings([text for _, text in rest])
        field, gram, _ = _item_grams(*texts, letters(), ngram, min_words)
        owner = np.array([number for number, _ in rest], np.int64)[field]
        self.rest = _lists(owner, gram, len(items))  # n-grams, uint64, of each item's choices and answers
        self.phrase = np.array([is_phrase(item) for item in items], np.bool_)  # counts only with an answer near it
        text = Ragged.from_strings([item.question for item in items])
        item, gram, length = _item_grams(*text, letters(), ngram, min_words)
        searched = (~self.phrase | (np.diff(self.rest.offsets) > 0))[item]
        item, gram, length = item[searched], gram[searched], length[searched]
        self.items, self.ngram = items, ngram
        self.grams, number = np.unique(gram, return_inverse=True)  # uint64, ascending
        pairs = np.unique(np.column_stack((item, number)), axis=0)
        self.of_item = _lists(pairs[:, 0], pairs[:, 1], len(items))  # n-gram numbers of each item
        self.items_of = _lists(pairs[:, 1], pairs[:, 0], self.grams.size)  # items of each n-gram
        self.lengths = np.isin(np.arange(ngram + 1), length)  # True for each length in words that an n-gram has
        self.filter = np.zeros(1 << FILTER_BITS, np.bool_)
        self.filter[(self.grams >> TOP).astype(np.int64)] = True
        for array in (self.grams, self.lengths, self.filter):
            array.flags.writeable = False
        self.short = np.flatnonzero(np.diff(self.of_item.offsets) == 0)  # items too short or too common to search

    def measure(self, text: Ragged) -> Ragged:
        """Return the numbers of the n-grams in each document, distinct and ascending."""
        return Ragged.from_arrays(*_find_grams(*text, letters(), self.grams, self.filter, self.lengths))


def _lists(keys: np.ndarray, values: np.ndarray, rows: int) -> Ragged:
    order = np.lexsort((values, keys))
    return Ragged.from_arrays(np.searchsorted(keys[order], np.arange(rows + 1)), values[order])


@allocating_kernel
def scan_tokens(data, at, end, table, tokens):
    """Fill ``tokens`` with word hashes as in dedup/near/shingles.py, and return their number.

    Each letter of a script without spaces is a word. So a Chinese question is found in an English page, and a changed
    character breaks only the n-grams that contain it.
    """
    hash, filled = START, 0
    while at < end:
        byte = data[at]
        if byte < 0x80:
            letter, length = np.uint64(table[byte]), 1
        else:
            code, length = decode(data, at, end)
            letter = np.uint64(table[code] & CODE)
            if table[code] >= SPACELESS:
                tokens[filled] = hash
                filled += hash != START
                hash = (START ^ letter) * GOLDEN_RATIO
                letter = ZERO
        at += length
        tokens[filled] = hash
        filled += (letter == ZERO) & (hash != START)
        hash = START if letter == ZERO else (hash ^ letter) * GOLDEN_RATIO
    tokens[filled] = hash
    return filled + (hash != START)


@allocating_kernel
def _item_grams(offsets, data, table, ngram, min_words):
    """Return item, n-gram and its length in words, for all n-grams of all items, with repeats."""
    room, m = data.size + 1, 0
    items, grams, lengths = np.empty(room, np.int64), np.empty(room, np.uint64), np.empty(room, np.int64)
    tokens = np.empty(room, np.uint64)
    for i in range(offsets.size - 1):
        filled = scan_tokens(data, offsets[i], offsets[i + 1], table, tokens)
        size = min(ngram, filled)
        for at in range(filled - size + 1 if filled >= min_words else 0):
            hash = tokens[at]
            for j in range(1, size):
                hash = hash * GOLDEN_RATIO + tokens[at + j]
            items[m], grams[m], lengths[m] = i, scramble(hash + np.uint64(size)), size
            m += 1
    return items[:m], grams[:m], lengths[:m]


@allocating_kernel
def _find_grams(offsets, data, table, grams, filter, lengths):
    n = offsets.size - 1
    longest = 0
    for i in range(n):
        longest = max(longest, offsets[i + 1] - offsets[i])
    tokens = np.empty(longest + 1, np.uint64)
    out_offsets, found = np.zeros(n + 1, np.int64), [np.int64(0) for _ in range(0)]
    for i in range(n):
        filled = scan_tokens(data, offsets[i], offsets[i + 1], table, tokens)
        mine = [np.int64(0) for _ in range(0)]
        for at in range(filled):
            hash = tokens[at]
            for size in range(1, min(lengths.size - 1, filled - at) + 1):
                if size > 1:
                    hash = hash * GOLDEN_RATIO + tokens[at + size - 1]
                if lengths[size]:
                    gram = scramble(hash + np.uint64(size))
                    if filter[np.int64(gram >> TOP)]:
                        number = np.searchsorted(grams, gram)
                        if number < grams.size and grams[number] == gram:
                            mine.append(number)
        mine.sort()
        for j in range(len(mine)):
            if j == 0 or mine[j] != mine[j - 1]:
                found.append(mine[j])
        out_offsets[i + 1] = len(found)
    return out_offsets, np.array(found)


@allocating_kernel
def ngram_coverage(offsets, numbers, items_offsets, items, of_offsets, of_grams, weight, threshold):
    """Return row, item and coverage of documents that hold at least ``threshold`` of an item's weight."""
    whole = np.zeros(of_offsets.size - 1)
    for item in range(whole.size):
        for at in range(of_offsets[item], of_offsets[item + 1]):
            whole[item] += weight[of_grams[at]]
    held = np.zeros(whole.size)
    rows = [np.int64(0) for _ in range(0)]
    found = [np.int64(0) for _ in range(0)]
    coverage = [0.0 for _ in range(0)]
    for row in range(offsets.size - 1):
        touched = [np.int64(0) for _ in range(0)]
        for at in range(offsets[row], offsets[row + 1]):
            gram = numbers[at]
            for i in range(items_offsets[gram], items_offsets[gram + 1]):
                if held[items[i]] == 0:
                    touched.append(items[i])
                held[items[i]] += weight[gram]
        touched.sort()
        for item in touched:
            share = held[item] / whole[item]
            if share >= threshold:
                rows.append(np.int64(row))
                found.append(item)
                coverage.append(min(share, 1.0))
            held[item] = 0
    return np.array(rows), np.array(found), np.array(coverage)
