"""An n-gram language model of tokens: interpolated Kneser-Ney with three discounts (Chen and Goodman 1998).

Every gram of k tokens that occurs is a row of a sorted table, its key the row of its first k - 1 tokens in the table
before it and its last token; so a table needs 16 bytes a gram, whatever k is. Grams do not reach over the beginning of
a document. The highest order counts occurrences; a lower one counts the different tokens that precede a gram, and
occurrences where it begins a document. Counting needs some 80 bytes a token of memory.
"""

import numpy as np

from gristmill.pretrain.data.batches import TokenSplit

UNSEEN = -1


class NGram:
    """Fitted on one split, it scores others. Its vocabulary is closed: an unseen token costs what unseen ones share."""

    def __init__(self, tokens: TokenSplit, order: int = 4):
        self.order, self.vocab_size = order, tokens.vocab_size
        ids, place = _stream(tokens)
        self.keys, self.backoff, self.kept = [], [], []
        rows, previous = [], np.zeros(ids.size, np.int64)  # row of the gram that ends before each token
        for k in range(order):
            keys = np.where(place >= k, previous * self.vocab_size + ids, UNSEEN)
            table, row = np.unique(keys, return_inverse=True)
            gone = int(table.size > 0 and table[0] == UNSEEN)
            rows.append(row - gone)
            self.keys.append(table[gone:])
            previous = np.concatenate(([UNSEEN], rows[k][:-1]))
        for k in range(order):
            counts = self._counts(k, rows, place)
            self._discount(k, counts)

    def _counts(self, k: int, rows: list[np.ndarray], place: np.ndarray) -> np.ndarray:
        """How often each gram of k + 1 tokens counts."""
        size = self.keys[k].size
        if k == self.order - 1:
            return np.bincount(rows[k][rows[k] >= 0], minlength=size)
        longer, first = np.unique(rows[k + 1], return_index=True)
        counts = np.bincount(rows[k][first[longer >= 0]], minlength=size)
        return counts + np.bincount(rows[k][place == k], minlength=size)

    def _discount(self, k: int, counts: np.ndarray) -> None:
        """Each gram's own share of its context's probability, and what each context leaves to the shorter one."""
        n1, n2, n3, n4 = (max(1, int((counts == i).sum())) for i in (1, 2, 3, 4))
        y = n1 / (n1 + 2 * n2)
        steps = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        discounts = np.array([0.0, *(min(max(step, 0.1 * i), i - 0.1) for i, step in enumerate(steps, 1))])
        taken = discounts[np.minimum(counts, 3)]
        context = self.keys[k] // self.vocab_size
        contexts = self.keys[k - 1].size if k else 1
        total = np.bincount(context, counts, contexts)
        self.kept.append((counts - taken) / total[context])
        left = np.bincount(context, taken, contexts)
        self.backoff.append(np.divide(left, total, out=np.ones(contexts), where=total > 0))

    @property
    def parameters(self) -> int:
        return sum(table.size for table in self.keys) + sum(table.size for table in self.backoff)

    def nats(self, tokens: TokenSplit) -> np.ndarray:
        """float64: what each token of the split costs, given those before it in its document."""
        ids, place = _stream(tokens)
        probability = np.full(ids.size, 1 / self.vocab_size)
        previous = np.zeros(ids.size, np.int64)
        orders = [k for k in range(self.order) if self.keys[k].size]  # short documents have no long grams
        for k in orders:
            known = (place >= k) & (previous != UNSEEN)
            row = _find(self.keys[k], np.where(known, previous * self.vocab_size + ids, UNSEEN))
            own = np.where(row != UNSEEN, self.kept[k][row], 0.0)
            longer = own + self.backoff[k][np.where(known, previous, 0)] * probability
            probability = np.where(known, longer, probability)
            previous = np.concatenate(([UNSEEN], row[:-1]))
        return -np.log(probability)


def _stream(tokens: TokenSplit) -> tuple[np.ndarray, np.ndarray]:
    """All ids of a split, and how many tokens stand before each in its document."""
    ids = tokens.read(0, tokens.count)
    return ids, np.arange(ids.size) - np.repeat(tokens.ends - tokens.lengths, tokens.lengths)


def _find(table: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The row of each key in a sorted table, UNSEEN where it is in none."""
    at = np.minimum(np.searchsorted(table, keys), table.size - 1)
    return np.where(table[at] == keys, at, UNSEEN)
