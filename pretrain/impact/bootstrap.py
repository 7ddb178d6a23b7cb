"""Bootstrap over seeds and documents together: both are resampled, the documents identically for both arms.

Welch's interval is about other seeds on these documents; the bootstrap is also about other documents of their kind.
Both arms are scored on the same documents, which removes most of the variance between documents: the interval of a
difference over 480 windows was 6 to 8 times narrower than that of either loss.
"""

import math

import numpy as np

from gristmill.pretrain.impact.significance import Interval

BATCH_DRAWS = 1 << 22  # draws times documents of one block


def bits_per_byte(nats: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return bits per byte of each seed, float[seeds], of nats [seeds, documents] and sizes in bytes [documents]."""
    return nats.sum(1) / (sizes.sum() * math.log(2))


def bootstrap(
    arm: np.ndarray, other: np.ndarray, sizes: np.ndarray, alpha: float = 0.05, draws: int = 2000, seed: int = 0
) -> Interval:
    """Return the percentile interval of the difference in bits per byte of two arms, nats [seeds, documents].

    The variance among n seeds underestimates by (n - 1) / n, so deviations are stretched by the root of n / (n - 1).
    """
    rng = np.random.default_rng(seed)
    differences = np.empty(draws)
    step = max(1, BATCH_DRAWS // max(1, sizes.size))
    for at in range(0, draws, step):
        n = min(step, draws - at)
        weights = rng.multinomial(sizes.size, np.full(sizes.size, 1 / sizes.size), n)
        total = np.maximum(weights @ sizes, 1) * math.log(2)
        differences[at : at + n] = (_resampled(arm, weights, rng) - _resampled(other, weights, rng)) / total
    low, high = np.quantile(differences, [alpha / 2, 1 - alpha / 2])
    return Interval(float(low), float(high))


def _resampled(nats: np.ndarray, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    seeds = len(nats)
    per_seed = weights @ nats.T  # [draws, seeds]
    shares = rng.multinomial(seeds, np.full(seeds, 1 / seeds), len(weights)) / seeds
    mean = per_seed.mean(1)
    return mean + ((shares * per_seed).sum(1) - mean) * math.sqrt(seeds / max(1, seeds - 1))
