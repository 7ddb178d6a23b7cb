"""fastText's supervised training in plain Python, from its C++ sources: one document after the other, row by row."""

import math
from collections import Counter

import numpy as np
from reference.fasttext_model import hash32

END = "</s>"


def words_of(text: str) -> list[str]:
    for space in "\n\r\t\v\f\0":
        text = text.replace(space, " ")
    return [word for word in text.split(" ") if word] + [END]


def subwords(word: str, min_n: int, max_n: int) -> list[str]:
    if word == END or not max_n:
        return []
    marked = f"<{word}>"
    grams = []
    for first in range(len(marked)):
        for n in range(min_n, max_n + 1):
            gram = marked[first : first + n]
            if len(gram) == n and not (n == 1 and first in (0, len(marked) - 1)):
                grams.append(gram)
    return grams


def rows_of(words: list[str], known: dict[str, int], settings) -> list[int]:
    rows = []
    for word in words:
        rows += [known[word]] if word in known else []
        rows += [
            len(known) + hash32(g.encode()) % settings.buckets for g in subwords(word, settings.min_n, settings.max_n)
        ]
    signed = [hash32(word.encode()) for word in words]
    signed = [value - (1 << 32) if value >> 31 else value for value in signed]
    for first in range(len(words)):
        gram = signed[first]
        for value in signed[first + 1 : first + settings.word_ngrams]:
            gram = (gram * 116049371 + value) % (1 << 64)
            rows.append(len(known) + gram % settings.buckets)
    return rows


def count(texts: list[str]) -> Counter:
    return Counter(word for text in texts for word in words_of(text))


def train(texts, targets, labels: int, known: dict[str, int], start: np.ndarray, settings):
    """The matrices after training from ``start``, in float64."""
    matrix, output = start.astype(np.float64), np.zeros((labels, start.shape[1]))
    documents = [words_of(text) for text in texts]
    total = settings.epochs * sum(len(words) + 1 for words in documents)  # a label each
    done = since = number = 0
    while done < total:
        rate = settings.learning_rate * (1 - done / total)
        rows = rows_of(documents[number], known, settings)
        hidden = sum((matrix[row] for row in rows), np.zeros(start.shape[1])) / max(len(rows), 1)
        scores = [math.exp(score) for score in output @ hidden]
        gradient = np.zeros_like(hidden)
        for label in range(labels if rows else 0):
            alpha = rate * ((label == targets[number]) - scores[label] / sum(scores))
            gradient += alpha * output[label]
            output[label] += alpha * hidden
        for row in rows:
            matrix[row] += gradient / len(rows)
        since += len(documents[number]) + 1
        number = (number + 1) % len(documents)
        if since > 100:
            done, since = done + since, 0
    return matrix, output
