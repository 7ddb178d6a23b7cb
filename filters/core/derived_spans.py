"""Spans derived from two versions of a text, in time linear in their length, up to a logarithm.

Patience diff (Bram Cohen's, as of bzr and git): tokens that occur once in both texts, in the same order in both, are
kept and separate the rest. The tokens are lines, then words between the kept lines; without any to keep, as many tokens
are compared one by one. Of the rest, the beginning and the end that both share are kept. `difflib` takes quadratic
time, and cubic in the worst case.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

TOKENS = (re.compile(r"[^\n]*\n|[^\n]+"), re.compile(r"\s+|\S+"))  # lines, words
Span = tuple[int, int, str]  # offset and length in bytes of the old text, replacement


def changed_spans(old: str, new: str) -> list[Span]:
    """Return the spans that turn ``old`` into ``new``, ascending, at least one kept byte between any two.

    >>> changed_spans("The colour\\nof flour.\\n", "The color\\nof flour.\\n")
    [(8, 1, '')]
    """
    spans: list[Span] = []
    at, open_span = 0, False
    for before, after in _pieces(old, new, 0):
        size = len(before.encode())
        if before != after:
            offset, length, text = spans.pop() if open_span else (at, 0, "")
            spans.append((offset, length + size, text + after))
        open_span = before != after or (open_span and not size)
        at += size
    return spans


def _pieces(old: str, new: str, level: int) -> Iterator[tuple[str, str]]:
    """Yield pairs of pieces that make up both texts: equal ones are kept."""
    head = _shared(old, new)
    tail = _shared(old[head:], new[head:], at_end=True)
    yield old[:head], old[:head]
    a, b = old[head : len(old) - tail], new[head : len(new) - tail]
    if not (a and b) or level == len(TOKENS):
        yield a, b
    elif kept := _kept(TOKENS[level], a, b):
        at = below = 0
        for begin, end, other in [*kept, (len(a), len(a), len(b))]:
            yield from _pieces(a[at:begin], b[below:other], level + 1)
            yield a[begin:end], a[begin:end]
            at, below = end, other + end - begin
    elif len(firsts := TOKENS[level].findall(a)) == len(seconds := TOKENS[level].findall(b)):
        for first, second in zip(firsts, seconds, strict=True):  # a change within tokens
            yield from _pieces(first, second, level + 1)
    else:
        yield from _pieces(a, b, level + 1)
    yield old[len(old) - tail :], old[len(old) - tail :]


def _shared(a: str, b: str, at_end: bool = False) -> int:
    """Return the number of characters that two texts share at their beginning, or at their end."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        first, second = (text[len(text) - middle : len(text) - low] if at_end else text[low:middle] for text in (a, b))
        low, high = (middle, high) if first == second else (low, middle - 1)
    return low


def _kept(token: re.Pattern, a: str, b: str) -> list[tuple[int, int, int]]:
    """Return the tokens to keep: begin and end in ``a``, begin in ``b``, ascending in both."""
    once = [
        {text: places[text] for text, n in counts.items() if n == 1}
        for counts, places in (_index(token, text) for text in (a, b))
    ]
    pairs = [(begin, begin + len(text), once[1][text]) for text, begin in once[0].items() if text in once[1]]
    ends: list[int] = []  # of the best chain of each length: its last place in b
    last: list[int] = []  # and its last pair
    before = [-1] * len(pairs)
    for i, (_, _, other) in enumerate(pairs):
        k = bisect_left(ends, other)
        before[i] = last[k - 1] if k else -1
        ends[k : k + 1], last[k : k + 1] = [other], [i]
    chain, i = [], last[-1] if last else -1
    while i >= 0:
        chain.append(pairs[i])
        i = before[i]
    return chain[::-1]


def _index(token: re.Pattern, text: str) -> tuple[Counter[str], dict[str, int]]:
    """Return the count of each token, and the place of its last occurrence; in order of the first."""
    found = [(match[0], match.start()) for match in token.finditer(text)]
    return Counter(word for word, _ in found), dict(found)
