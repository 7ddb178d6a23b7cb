"""dolma's and DCLM's measures in plain Python, as their sources read."""

import re
from collections import Counter
from statistics import median

from gristmill.filters.rules.paper_thresholds import SHARES

STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}


def dolma_gopher(text: str) -> dict:
    words, lines = text.split(), text.split("\n")
    return {
        "words": len(words),
        "word_length": float(median(map(len, words))) if words else 0.0,
        "hash_ratio": sum("#" in word or "…" in word for word in words) / max(len(words), 1),
        "ellipsis_ratio": 0.0,
        "bullet_lines": sum(line.startswith(("*", "-")) for line in lines) / len(lines),
        "ellipsis_lines": sum(line.endswith("…") for line in lines) / len(lines),
        "alpha_words": sum(any(char.isalpha() for char in word) for word in words) / max(len(words), 1),
        "stop_words": sum(word in STOP_WORDS for word in words),
    }


def dclm_gopher(text: str) -> dict:
    words, lines = text.split(), [line.strip() for line in text.split("\n") if line.strip()]
    return {
        "words": len(words),
        "word_length": sum(map(len, words)) / max(len(words), 1),
        "hash_ratio": sum(map(text.count, ("#", "...", ". . .", "…"))) / max(len(words), 1),
        "ellipsis_ratio": 0.0,
        "bullet_lines": sum(line.startswith(("●", "•", "*", "-")) for line in lines) / max(len(lines), 1),
        "ellipsis_lines": sum(line.endswith(("...", ". . .", "…")) for line in lines) / max(len(lines), 1),
        "alpha_words": sum(any(char.isalpha() for char in word) for word in words) / max(len(words), 1),
        "stop_words": sum(word.lower() in STOP_WORDS for word in words),
    }


def dolma_repetition(text: str) -> dict:
    words, lines = text.split(), text.split("\n")
    chars, shares = sum(map(len, words)), dict.fromkeys(SHARES, 0.0)
    for n in range(2, 11):
        counts = Counter(zip(*(words[i:] for i in range(n)), strict=False))
        size = {n_gram: sum(map(len, n_gram)) for n_gram in counts}
        if n < 5 and counts:
            top, count = counts.most_common(1)[0]
            shares[f"top_{n}_gram"] = count * size[top] / chars
        elif counts:
            copied = sum(count * size[n_gram] for n_gram, count in counts.items() if count > 1)
            shares[f"dup_{n}_grams"] = copied / sum(count * size[n_gram] for n_gram, count in counts.items())
    counts = Counter(lines)
    shares["dup_lines"] = sum(count for count in counts.values() if count > 1) / len(lines)
    shares["dup_line_chars"] = sum(len(line) * count for line, count in counts.items() if count > 1) / max(chars, 1)
    return shares


def dclm_repetition(text: str, words: list[str]) -> dict:
    """``words`` are those with a letter or digit, by any splitter."""
    chars, shares = sum(map(len, words)), dict.fromkeys(SHARES, 0.0)
    for name, cut in (("paragraph", "\n\n"), ("line", "\n")):
        parts = [part.strip() for part in re.split(cut, text) if part.strip()]
        counts = Counter(parts)
        copied = {part: count for part, count in counts.items() if count > 1}
        shares[f"dup_{name}s"] = sum(copied.values()) / max(len(parts), 1)
        total = sum(map(len, parts))
        shares[f"dup_{name}_chars"] = sum(len(part) * count for part, count in copied.items()) / max(total, 1)
    for n in range(2, 11):
        n_grams = list(zip(*(words[i:] for i in range(n)), strict=False))
        counts = Counter(n_grams)
        most = max(counts.values(), default=0)
        if most > 1 and n < 5:
            longest = max(sum(map(len, n_gram)) for n_gram, count in counts.items() if count == most)
            shares[f"top_{n}_gram"] = longest * most / chars
        elif most > 1:
            again = {i + k for i, n_gram in enumerate(n_grams) if counts[n_gram] > 1 for k in range(n)}
            shares[f"dup_{n}_grams"] = sum(len(words[i]) for i in again) / chars
    return shares
