"""Interpolated Kneser-Ney with three discounts by dictionaries, one probability at a time (Chen and Goodman 1998)."""

from collections import Counter, defaultdict


def fit(documents, order):
    """Gram -> count, for each order: occurrences for the highest, else different tokens before it or beginnings."""
    counts = [Counter() for _ in range(order + 1)]
    before = defaultdict(set)
    for document in documents:
        for k in range(1, order + 1):
            for start in range(len(document) - k + 1):
                gram = tuple(document[start : start + k])
                if k == order or start == 0:
                    counts[k][gram] += 1
                else:
                    before[gram].add(document[start - 1])
    for gram, tokens in before.items():
        counts[len(gram)][gram] += len(tokens)
    return counts


def discounts(counts):
    n = Counter(counts.values())
    n1, n2, n3, n4 = (max(1, n[i]) for i in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2)
    steps = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    return [0.0] + [min(max(step, 0.1 * i), i - 0.1) for i, step in enumerate(steps, 1)]


def probability(counts, vocab_size, context, token):
    """Of a token after a context no longer than the order allows."""
    shorter = 1 / vocab_size if not context else probability(counts, vocab_size, context[1:], token)
    of_order = counts[len(context) + 1]
    after = {gram: count for gram, count in of_order.items() if gram[:-1] == context}
    if not after:
        return shorter
    taken = discounts(of_order)
    total = sum(after.values())
    own = of_order.get((*context, token), 0)
    left = sum(taken[min(count, 3)] for count in after.values())
    return (own - taken[min(own, 3)] + left * shorter) / total
