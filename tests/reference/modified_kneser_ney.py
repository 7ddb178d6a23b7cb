"""Modified Kneser-Ney over lines, by dictionaries, one probability at a time (Chen and Goodman 1999)."""

from collections import Counter, defaultdict

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"


def count(lines, order, ends=True):
    """Adjusted counts of the grams of each order, and how often each occurs."""
    occurs, before = Counter(), defaultdict(set)
    for words in lines:
        line = [BEGIN, *words, *([END] if ends else [])]
        for end in range(2, len(line) + 1):
            for k in range(1, order + 1):
                if end - k >= 0:
                    gram = tuple(line[end - k : end])
                    occurs[gram] += 1
                    if end - k > 0:
                        before[gram].add(line[end - k - 1])
    adjusted = {g: n if len(g) == order or g[0] == BEGIN else len(before[g]) for g, n in occurs.items()}
    return adjusted, occurs


def discounts(counts, fallback):
    """By the formulas, or the fallback where they give nothing sensible."""
    n = Counter(counts)
    if not n[1] or not n[2] or not n[3]:
        return fallback
    y = n[1] / (n[1] + 2 * n[2])
    found = 1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]
    return found if all(0 <= taken <= i for i, taken in enumerate(found, 1)) else fallback


class Model:
    def __init__(self, lines, order, fallback=None, prune=(), words=(), ends=True):
        self.counts, occurs = count(lines, order, ends)
        self.order = order
        self.kept = {g for g, n in occurs.items() if n > (prune[len(g) - 1] if prune and len(g) > 1 else 0)}
        self.words = {word for line in lines for word in line} | {UNKNOWN, END, *words}
        of_order = {k: [n for g, n in self.counts.items() if len(g) == k] for k in range(1, order + 1)}
        self.taken = {k: discounts(counts, fallback) for k, counts in of_order.items()}

    def probability(self, context, word):
        """p(word | context), a tuple that is cut to what the order allows."""
        context = tuple(context)[max(0, len(context) - self.order + 1) :]
        gram = (*context, word)
        taken = self.taken[len(gram)]
        shorter = self.probability(context[1:], word) if context else 1 / len(self.words)
        after = {g: n for g, n in self.counts.items() if len(g) == len(gram) and g[:-1] == context}
        if not after:
            return shorter
        left = sum(taken[min(n, 3) - 1] if g in self.kept else n for g, n in after.items())
        own = after[gram] - taken[min(after[gram], 3) - 1] if gram in after and gram in self.kept else 0
        return (own + left * shorter) / sum(after.values())
