"""Which documents hold which items, with dictionaries: the twin of dedup/contamination/step.py."""

import math
import re
from collections import Counter

SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"


def words(text: str) -> list[str]:
    """Runs of letters, digits and underscores; each letter of a script without spaces is one."""
    return re.findall(rf"[{SPACELESS}]|[^\W{SPACELESS}]+", text.lower())


def grams(question: str, ngram: int, min_words: int) -> set[tuple]:
    tokens = words(question)
    size = min(ngram, len(tokens))
    return {tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)} if len(tokens) >= min_words else set()


def held(texts, questions, ngram, min_words, threshold, max_documents) -> dict[tuple[int, int], float]:
    """(document, item) -> the share of the item's weight that the document holds."""
    of_item = [grams(question, ngram, min_words) for question in questions]
    wanted = set().union(*of_item)
    of_text = [
        {tuple(tokens[i : i + n]) for n in range(1, ngram + 1) for i in range(len(tokens) - n + 1)} & wanted
        for tokens in map(words, texts)
    ]
    held_by = Counter(gram for mine in of_text for gram in mine)
    weight = {gram: 1 / max(held_by[gram], 1) for gram in wanted}
    found = {}
    for document, mine in enumerate(of_text):
        for item, its in enumerate(of_item):
            share = sum(weight[g] for g in its & mine) / sum(weight[g] for g in its) if its else 0
            phrase = len(its) == 1 and held_by[min(its)] > max(2, math.ceil(max_documents * len(texts)))
            if share >= threshold and its & mine and not phrase:
                found[document, item] = share
    return found
