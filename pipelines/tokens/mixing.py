"""Mixture of sources: shares and temperature to epochs, epochs to copies of documents.

A source of 1.3 epochs gives each document once, and once more if its hash is below 0.3: no random numbers, so every
worker decides alike. Beyond four epochs repeated text is worth little (Muennighoff et al. 2023, arXiv:2305.16264,
section 6), so a share may not ask for more, unless max_epochs allows it.

``upsample`` multiplies the epochs of a document by the weight of its cluster size (FineWeb-2: arXiv:2506.20920). The
tokens of a source are counted with these weights.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from gristmill.pipelines.errors import RecipeError, nearest
from gristmill.pipelines.tokens.settings import TokenSettings


class Source(NamedTuple):
    """Part of a source in the training split; its tokens are upsampled ones."""

    name: str
    documents: int
    tokens: int
    epochs: float
    share: float  # of the mixture's tokens


def mix(tokens: dict[str, int], documents: dict[str, int], settings: TokenSettings) -> list[Source]:
    """Return the epochs of each source; without weights, temperature or epochs each source counts once.

    Raises RecipeError for an unknown source, and for a share that needs more than max_epochs.
    """
    for name in (*settings.weights, *settings.epochs):
        if name not in tokens:
            raise RecipeError(f"the mixture names source {name!r}: {nearest(name, sorted(tokens))}")
    epochs = dict(settings.epochs) if settings.weights or settings.epochs or settings.temperature != 1 else {}
    by_share = [name for name in tokens if name not in epochs and tokens[name]]
    shares = _shares({name: tokens[name] for name in by_share}, settings)
    if settings.weights or settings.temperature != 1:
        named = sum(tokens[name] * often for name, often in epochs.items())
        room = (
            settings.train_tokens - named
            if settings.train_tokens
            else min(tokens[n] / s for n, s in shares.items() if s)
        )
        epochs |= {name: max(0.0, room) * share / tokens[name] for name, share in shares.items()}
    elif settings.train_tokens:
        rest = settings.train_tokens - sum(tokens[name] * often for name, often in epochs.items())
        epochs |= {name: max(0.0, rest) / sum(tokens[n] for n in by_share) for name in by_share}
    for name in by_share:
        if epochs.get(name, 1.0) > settings.max_epochs:
            raise RecipeError(
                f"source {name!r} needs {epochs[name]:.1f} epochs of its {tokens[name]:,} tokens; "
                f"lower its weight or train_tokens, or raise max_epochs ({settings.max_epochs:g})"
            )
    total = sum(tokens[name] * epochs.get(name, 1.0) for name in tokens)
    return [
        Source(name, documents[name], tokens[name], often, tokens[name] * often / total if total else 0.0)
        for name, often in ((name, epochs.get(name, 1.0)) for name in sorted(tokens))
    ]


def _shares(tokens: dict[str, int], settings: TokenSettings) -> dict[str, float]:
    """Return shares that add up to 1: the weights, and the rest divided by size and temperature."""
    flat = {n: float(t) ** (1 / settings.temperature) for n, t in tokens.items() if n not in settings.weights}
    left = max(0.0, 1 - sum(settings.weights.values()))
    if not flat and settings.weights:  # no other source fills the rest
        total = sum(settings.weights.values())
        return {name: weight / total for name, weight in settings.weights.items() if name in tokens}
    size = sum(flat.values())
    return {name: settings.weights.get(name, left * flat.get(name, 0.0) / size if size else 0.0) for name in tokens}


def weights(sizes: np.ndarray, upsample: Mapping[int, float]) -> np.ndarray:
    """Return the weight of each cluster size, float [n]: that of the largest size in ``upsample`` up to it, else 1."""
    steps = sorted(upsample)
    of_step = np.array([1.0, *(upsample[step] for step in steps)])
    return of_step[np.searchsorted(np.array(steps, np.int64), sizes, "right")]


def count_copies(often: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Return the copies of each document, for its epochs float [n] and hashes uint64 [n]."""
    whole = np.floor(often)
    return (whole + (hashes / 2.0**64 < often - whole)).astype(np.int64)
