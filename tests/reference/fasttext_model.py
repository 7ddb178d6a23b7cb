"""A writer of small random fastText files, and fastText's prediction in plain Python (from its C++ sources)."""

import math
import re
import struct

import numpy as np

VOCABULARY = ["</s>", "the", "der", "ça", "字", "a", "été"]
LABELS = ["__label__en", "__label__de", "__label__fra_Latn", "__label__zh"]


def write_model(path, *, loss, min_n, max_n, word_ngrams, quantized, seed, dim=5, buckets=97, words=VOCABULARY):
    """Loss 1 is hierarchical softmax, 3 softmax; a quantized model has most buckets pruned."""
    random = np.random.default_rng(seed)
    kept = random.permutation(buckets)[: buckets // 3] if quantized else []
    rows = len(words) + (len(kept) if quantized else buckets)
    out = struct.pack("<2i", 793712314, 12)
    out += struct.pack("<12id", dim, 5, 5, 1, 5, word_ngrams, loss, 3, buckets, min_n, max_n, 100, 1e-4)
    out += struct.pack("<3i2q", len(words) + len(LABELS), len(words), len(LABELS), 1000, len(kept) if quantized else -1)
    for number, word in enumerate([*words, *LABELS]):
        out += word.encode() + b"\0" + struct.pack("<qb", 100 - number, word in LABELS)
    for row, bucket in enumerate(kept):
        out += struct.pack("<2i", bucket, row)
    if quantized:  # two numbers a code, the last part narrower; and a norm
        parts = (dim + 1) // 2
        out += struct.pack("<??2qi", True, True, rows, dim, rows * parts) + random.bytes(rows * parts)
        out += struct.pack("<4i", dim, parts, 2, dim - 2 * (parts - 1))
        out += random.normal(size=dim * 256).astype("<f4").tobytes() + random.bytes(rows)
        out += struct.pack("<4i", 1, 1, 1, 1) + random.random(256).astype("<f4").tobytes()
    else:
        out += struct.pack("<?2q", False, rows, dim) + random.normal(size=rows * dim).astype("<f4").tobytes()
    output = 3 * random.normal(size=len(LABELS) * dim).astype("<f4")
    path.write_bytes(out + struct.pack("<?2q", False, len(LABELS), dim) + output.tobytes())
    return path


def hash32(data: bytes) -> int:
    value = 2166136261
    for byte in data:
        signed = byte - 256 if byte > 127 else byte
        value = ((value ^ (signed & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
    return value


def rows_of(model, text: str) -> list[int]:
    """The rows of the input matrix a text is the mean of; none for a text without any."""
    words = [model.words.row(i).decode() for i in range(model.words.rows)]
    buckets, kept = model.header["buckets"], model.kept
    tokens = [token for token in re.split("[ \n\r\t\v\f\0]+", text) if token]
    rows, hashes = [], []

    def add_bucket(number):
        row = kept[number % buckets] if kept.size else number % buckets
        if row >= 0:
            rows.append(len(words) + row)

    def add_word(token):
        if token in words:
            rows.append(words.index(token))
        signed = hash32(token.encode())
        hashes.append(signed - (1 << 32) if signed >> 31 else signed)
        for n in range(2, min(model.header["word_ngrams"], len(hashes)) + 1):
            number = 0
            for each in hashes[-n:]:
                number = (number * 116049371 + each) % (1 << 64)
            add_bucket(number)

    for token in tokens:
        add_word(token)
        word = f"<{token}>"
        for first in range(len(word)):
            for n in range(max(model.header["min_n"], 1), model.header["max_n"] + 1):
                gram = word[first : first + n]
                if len(gram) == n and not (n == 1 and gram[0] in "<>" and first in (0, len(word) - 1)):
                    add_bucket(hash32(gram.encode()))
    if not rows:
        return []
    add_word("</s>")
    return rows


def predict(model, text: str) -> tuple[int, float]:
    """The best label's number and probability; -1 and 0 for a text without rows."""
    rows = rows_of(model, text)
    if not rows:
        return -1, 0.0
    hidden = model.input[rows].astype(np.float64).mean(axis=0)
    if model.header["loss"] == 3:
        scores = np.exp(model.output @ hidden)
        return int(scores.argmax()), scores.max() / scores.sum()
    label, probability = max(leaves(model, hidden), key=lambda leaf: leaf[1])
    return label, min(probability, 1.0)


def every_probability(model, text: str) -> list[float]:
    """Of each label in turn; 0 for a text without rows."""
    rows = rows_of(model, text)
    if not rows:
        return [0.0] * len(model.labels)
    hidden = model.input[rows].astype(np.float64).mean(axis=0)
    if model.header["loss"] == 3:
        scores = np.exp(model.output @ hidden)
        return (scores / scores.sum()).tolist()
    return [min(probability, 1.0) for _, probability in sorted(leaves(model, hidden))]


def leaves(model, hidden) -> list[tuple[int, float]]:
    """Every label with its probability: join the two rarest nodes until one is left, then walk down from it."""
    nodes = [(int(count), n, None) for n, count in enumerate(model.label_counts)]  # count, age, children
    labels = len(nodes)
    for inner in range(labels - 1):
        # Of equal counts fastText takes inner nodes first, then the rarer-ranked leaf.
        nodes.sort(key=lambda node: (node[0], (0, node[1]) if node[1] >= labels else (1, -node[1])))
        left, right, *nodes = nodes
        nodes.append((left[0] + right[0], labels + inner, (left, right)))

    def walk(node, probability):
        if node[2] is None:
            return [(node[1], probability)]
        right = 1 / (1 + math.exp(-float(model.output[node[1] - labels] @ hidden)))
        return walk(node[2][0], probability * (1 - right + 1e-5)) + walk(node[2][1], probability * (right + 1e-5))

    return walk(nodes[0], 1.0)
