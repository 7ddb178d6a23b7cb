"""Stop words of a language, from its documents: the words that take the largest share of a document, on average.

Every document has one vote, so a word that one long document repeats is no stop word. A word counts in lower case,
and is a word with a letter (filters/words/unicode_words.py): a character in Chinese, a cluster in Thai.
"""

from collections import Counter

import numpy as np

from gristmill.filters.rules.paper_thresholds import MAX_STOP_WORDS
from gristmill.filters.words.words import HAS_LETTER, Words
from gristmill.pipelines.ragged import Ragged

MIN_SHARE = 0.005  # of the words of a document: a dozen to forty words in most languages, with half of all words
LEAST = 8  # stop words of a language without such words
KEPT = 4000  # words to keep per batch and in all: the last of them takes a hundredth of MIN_SHARE
WHOLE = 1 << 30  # a share of 1: sums of whole numbers do not depend on the order of documents


class WordShares:
    """Sums of the shares that words take of each document of one language. Memory: KEPT words."""

    def __init__(self) -> None:
        self.documents = 0
        self.shares: Counter[str] = Counter()

    def add(self, text: Ragged, words: Words, rows: np.ndarray) -> None:
        """Add the documents ``rows`` of a batch."""
        index = np.concatenate([np.empty(0, np.int64), *(np.arange(*words.offsets[[i, i + 1]]) for i in rows)])
        document = np.repeat(np.arange(rows.size), np.diff(words.offsets)[rows])
        counts = words.flags[index] & HAS_LETTER != 0
        index, document = index[counts], document[counts]
        sizes = np.bincount(document, minlength=rows.size)
        unique, first, codes = np.unique(words.hash[index], return_index=True, return_inverse=True)
        shares = np.bincount(codes, WHOLE // sizes[document], unique.size)
        for at in np.argsort(-shares, kind="stable")[:KEPT].tolist():
            word = index[first[at]]
            form = text.data[words.start[word] : words.end[word]].tobytes().decode("utf-8", "replace").lower()
            if form[0].isalpha():  # ".sh" begins the lines of a manual page
                self.shares[form] += int(shares[at])
        self.documents += int((sizes > 0).sum())
        self.shares = Counter(dict(_ordered(self.shares)[:KEPT]))

    def stop_words(self) -> list[str]:
        """Return the stop words, the most frequent first: ``LEAST`` to ``MAX_STOP_WORDS`` of them."""
        ordered = _ordered(self.shares)[:MAX_STOP_WORDS]
        frequent = [word for word, share in ordered if share >= int(MIN_SHARE * WHOLE) * self.documents]
        return frequent if len(frequent) >= LEAST else [word for word, _ in ordered[:LEAST]]


def _ordered(shares: Counter[str]) -> list[tuple[str, int]]:
    return sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))
