"""Measures of a tokenizer on a text: compression, fertility, use of the vocabulary, fairness, habits, speed.

Languages are compared by the cost of a language, tokens per unit of content (parity.py), which bytes per token is not:
a character of Hindi has three bytes.
"""

import time
from collections import Counter

import numpy as np

from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.parity import content_of
from gristmill.tokenizers_lab.pretokenize import pretokenize
from gristmill.tokenizers_lab.tokenizer import Tokenizer

NUMBER = "1234567"
RARE = 10  # uses of a piece
ALPHA = 2.5  # order of the Rényi entropy that predicts translation quality best (Zouhar et al. 2023, arXiv:2306.16842)


def measure(tokenizer: Tokenizer, text: Ragged, languages: list[str]) -> dict:
    """Return all measures; ``languages`` are labels of documents ("" if unknown). Text without tokens gives zeros."""
    model = tokenizer.model
    ids = tokenizer(text)  # the second run, which is timed, has a warm cache and compiled kernels
    began = time.process_time()
    ids = tokenizer(text)
    seconds = time.process_time() - began
    words = split_words(text, "prefix" not in model.normalizers)
    of_words = np.diff(tokenizer(words).offsets)
    counts = np.bincount(ids.data, minlength=model.size)
    back = tokenizer.decode(ids)
    exact = sum(back.row(row) == text.row(row) for row in range(text.rows))
    unknown = model.role("unknown")
    rates, costs = by_language(text, ids, languages)
    return {
        "vocab_size": model.size,
        "tokens": ids.data.size,
        "bytes_per_token": text.data.size / max(ids.data.size, 1),
        "characters_per_token": int((text.data & 0xC0 != 0x80).sum()) / max(ids.data.size, 1),
        "fertility": float(of_words.mean()) if of_words.size else 0.0,
        "single_token_words": float((of_words == 1).mean()) if of_words.size else 0.0,
        "used": float((counts > 0).mean()),
        "rare": float((counts < RARE).mean()),
        "renyi": renyi(counts),
        "unreachable": unreachable_tokens(tokenizer),
        "unknown": float(counts[unknown] / max(ids.data.size, 1)) if unknown is not None else 0.0,
        "exact": exact / max(text.rows, 1),
        "mb_per_second": text.data.size / 1e6 / max(seconds, 1e-9),
        "languages": rates,
        "costs": costs,
        "gini": gini([*costs.values()]),
        "worst_language": max(costs, key=costs.__getitem__, default=None),
        **habits(tokenizer),
    }


def by_language(text: Ragged, ids: Ragged, languages: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Return bytes per token of each language, and its cost divided by the mean cost; documents without one are left.

    Languages without tokens are left out.
    """
    sizes: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    contents: Counter[str] = Counter()
    for row, language in enumerate(languages):
        sizes[language] += int(text.offsets[row + 1] - text.offsets[row])
        tokens[language] += int(ids.offsets[row + 1] - ids.offsets[row])
        contents[language] += content_of(Ragged.from_strings([text.row(row)])) if language else 0
    names = [name for name in sizes if name and tokens[name]]
    costs = {name: tokens[name] / contents[name] for name in names}
    mean = sum(costs.values()) / max(len(costs), 1)
    return {name: sizes[name] / tokens[name] for name in names}, {name: cost / mean for name, cost in costs.items()}


def gini(values: list[float]) -> float:
    """Return the Gini coefficient of values above 0: 0 if all are equal, towards 1 if one has all; 0 of none."""
    ordered, count = np.sort(values), len(values)
    weights = 2 * np.arange(1, count + 1) - count - 1
    return float(weights @ ordered / (count * ordered.sum())) if count else 0.0


def habits(tokenizer: Tokenizer) -> dict:
    """Return how a number is cut, the longest run of spaces that is a piece, and the number of pieces across words."""
    model = tokenizer.model
    texts = [p.decode(errors="replace").replace("▁", " ") for id, p in enumerate(model.pieces) if model.is_text(id)]
    number = Ragged.from_strings([NUMBER])
    ids = tokenizer(number).data.tolist()
    return {
        "digits": "|".join(tokenizer.spelled[id].decode(errors="replace").strip(" ▁") for id in ids).strip("|"),
        "spaces": max((len(text) for text in texts if text and not text.strip(" ")), default=0),
        "superwords": sum(" " in text.strip() for text in texts),
    }


def split_words(text: Ragged, spaced: bool) -> Ragged:
    """Return each word between white space as a row, after one space if ``spaced``."""
    _, ends = pretokenize(text, "whitespace")
    return Ragged.from_arrays(*_words(ends, text.data, spaced))


@allocating_kernel
def _words(ends, data, spaced):
    offsets, out, rows, at = np.empty(ends.size, np.int64), np.empty(2 * data.size + 1, np.uint8), 0, 0
    offsets[0] = 0
    for piece in range(ends.size - 1):
        if data[ends[piece]] > 32:
            out[at] = 32
            at += spaced
            for i in range(ends[piece], ends[piece + 1]):
                out[at] = data[i]
                at += 1
            rows += 1
            offsets[rows] = at
    return offsets[: rows + 1].copy(), out[:at].copy()


def renyi(counts: np.ndarray) -> float:
    """Return the Rényi entropy of the ids, divided by that of uniform use: 0 to 1."""
    if counts.size < 2 or not counts.sum():
        return 0.0
    shares = counts[counts > 0] / counts.sum()
    return float(np.log((shares**ALPHA).sum()) / (1 - ALPHA) / np.log(counts.size))


def unreachable_tokens(tokenizer: Tokenizer) -> int:
    """Count pieces whose own text is not encoded as their id (Land and Bartolo 2024, arXiv:2405.05417).

    Such an id is never produced, or only inside a longer word.
    """
    model = tokenizer.model
    if model.prefix or "prefix" in model.normalizers:
        begin = [piece for id, piece in enumerate(model.pieces) if _begins(model, id)]
        return sum(len(tokenizer.encode(piece.decode().removeprefix("▁"))) != 1 for piece in begin)
    rows = [piece for id, piece in enumerate(model.pieces) if model.is_text(id)]
    return int((np.diff(tokenizer(Ragged.from_strings(rows)).offsets) != 1).sum())


def _begins(model: Model, id: int) -> bool:
    piece, prefix = model.pieces[id], model.prefix.encode() or None
    return model.is_text(id) and (not piece.startswith(prefix) if prefix else piece.startswith("▁".encode()))
