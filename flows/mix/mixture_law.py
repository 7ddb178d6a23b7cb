"""Law of mixtures: the loss as a function of the shares of sources, and the shares with the lowest loss.

    L(p) = c + exp(t · p),   p on the simplex          (log-linear; Ye et al. 2024, 2403.16952; Olmix, 2602.12237)

The fit is Huber's over runs with different shares, one per run (RegMix, 2407.01492). The best shares minimize the mean
law over evaluation sets plus λ KL(p || natural), and no share may exceed what max_epochs of its source can fill. Both
problems are small and convex in p, so a bootstrap over runs, refitted each time, gives an interval of each share.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares

DELTA = 0.02  # bits per byte: residuals above count by their size, not by their square
KL_WEIGHT = 0.1  # a law without a best mixture inside the simplex is no guide far from the natural one: LOG.md
FLOORS = (0.0, 0.5, 0.8)  # c, as shares of the lowest loss, to start from
SHRINKAGE = 1e-3  # of t to its mean: a source that no run varies gets the effect of an average one
STEPS = 400  # of mirror descent
SMALLEST = 1e-300  # share whose logarithm is taken


class MixtureLaw(NamedTuple):
    """Fitted law of one evaluation set."""

    floor: float  # c
    slopes: np.ndarray  # t, float64 [sources]

    def loss(self, shares: np.ndarray) -> np.ndarray:
        """Return the loss of mixtures, float64 [n], of shares [n, sources]."""
        return self.floor + np.exp(shares @ self.slopes)


def fit(shares: np.ndarray, losses: np.ndarray, start: MixtureLaw | None = None) -> MixtureLaw:
    """Fit a law to the losses of runs, float64 [runs], and their shares, float64 [runs, sources].

    With ``start`` the floor stays and the slopes begin there, as in a bootstrap.
    """
    floors = (start.floor,) if start else tuple(share * losses.min() for share in FLOORS)
    fitted = [_fit_slopes(shares, losses, floor, start.slopes if start else None) for floor in floors]
    return min(fitted, key=lambda each: each[1])[0]


def _fit_slopes(
    shares: np.ndarray, losses: np.ndarray, floor: float, slopes: np.ndarray | None
) -> tuple[MixtureLaw, float]:
    n = shares.shape[1]
    begin = np.full(n, np.log(losses.mean() - floor)) if slopes is None else slopes
    center = np.eye(n) - 1 / n

    def residuals(t: np.ndarray) -> np.ndarray:
        return np.concatenate([floor + np.exp(shares @ t) - losses, SHRINKAGE * (center @ t)])

    def jacobian(t: np.ndarray) -> np.ndarray:
        return np.concatenate([np.exp(shares @ t)[:, None] * shares, SHRINKAGE * center])

    found = least_squares(residuals, begin, jacobian, loss="huber", f_scale=DELTA)
    return MixtureLaw(floor, found.x), float(found.cost)


def best_shares(slopes: np.ndarray, natural: np.ndarray, caps: np.ndarray, kl_weight: float = KL_WEIGHT) -> np.ndarray:
    """Return the shares with the lowest mean loss, float64 [..., sources], each at most its cap.

    ``slopes`` are those of the laws, float64 [..., sets, sources]; floors move no share. Mirror descent with the
    entropy: steps multiply shares, so that they stay positive.
    """
    shares = np.broadcast_to(cap_shares(natural, caps), (*slopes.shape[:-2], natural.size))
    log_natural = np.log(np.maximum(natural, SMALLEST))
    spread = slopes - slopes.mean(-1, keepdims=True)  # a slope that all sources share moves no share
    curvature = (np.exp(slopes.max(-1)) * (spread**2).max(-1)).mean(-1)[..., None]
    rate = 1 / (kl_weight + curvature + 1e-9)
    for _ in range(STEPS):
        losses = np.exp((slopes * shares[..., None, :]).sum(-1))
        gradient = (losses[..., None] * slopes).mean(-2)
        gradient = gradient + kl_weight * (np.log(np.maximum(shares, SMALLEST)) - log_natural)
        gradient = gradient - (gradient * shares).sum(-1, keepdims=True)
        shares = cap_shares(shares * np.exp(-rate * gradient), caps)
    return shares


def cap_shares(shares: np.ndarray, caps: np.ndarray) -> np.ndarray:
    """Return the nearest shares, by KL, that add up to 1 with none above its cap; caps add up to 1 or more.

    >>> cap_shares(np.array([8.0, 1.0, 1.0]), np.array([0.5, 1.0, 1.0])).tolist()
    [0.5, 0.25, 0.25]
    """
    shares = shares / shares.sum(-1, keepdims=True)
    capped = np.zeros(shares.shape, bool)
    for _ in range(shares.shape[-1]):
        over = ~capped & (shares > caps)
        if not over.any():
            break
        capped |= over
        left = np.maximum(0.0, 1 - np.where(capped, caps, 0).sum(-1, keepdims=True))
        rest = np.where(capped, 0, shares).sum(-1, keepdims=True)
        shares = np.where(capped, caps, shares * left / np.maximum(rest, SMALLEST))
    return shares


class Optimum(NamedTuple):
    """Best shares, and their bootstrap over runs."""

    laws: list[MixtureLaw]
    shares: np.ndarray  # float64 [sources]
    draws: np.ndarray  # float64 [draws, sources]
    gains: np.ndarray  # float64 [draws, baselines]: loss of each baseline minus that of ``shares``, by a draw's laws


def optimize(
    shares: np.ndarray,
    losses: np.ndarray,
    natural: np.ndarray,
    caps: np.ndarray,
    baselines: np.ndarray,
    kl_weight: float = KL_WEIGHT,
    draws: int = 200,
    seed: int = 0,
) -> Optimum:
    """Fit a law to each column of ``losses``, float64 [runs, sets], and find the shares with the lowest mean loss.

    ``baselines`` are shares to compare with, float64 [baselines, sources].
    """
    laws = [fit(shares, column) for column in losses.T]
    best = best_shares(np.array([law.slopes for law in laws]), natural, caps, kl_weight)
    rng, gains = np.random.default_rng(seed), np.empty((draws, len(baselines)))
    slopes = np.empty((draws, len(laws), natural.size))
    for k in range(draws):
        rows = rng.integers(0, len(shares), len(shares))
        again = [fit(shares[rows], losses[rows, j], law) for j, law in enumerate(laws)]
        slopes[k] = [law.slopes for law in again]
        gains[k] = np.mean([law.loss(baselines) - law.loss(best[None]) for law in again], 0)
    return Optimum(laws, best, best_shares(slopes, natural, caps, kl_weight), gains)


def draw_shares(natural: np.ndarray, caps: np.ndarray, seed: int) -> np.ndarray:
    """Draw shares from a Dirichlet distribution around the natural ones, float64 [sources], none above its cap.

    Its concentration is drawn between 1 and 5 per source, on a logarithmic scale, and natural shares are tempered by a
    root, so that small sources vary too (RegMix, section 3.1). RegMix begins at 0.1, but mixtures of almost one source
    bend the law where the best mixture is not.
    """
    rng = np.random.default_rng(seed)
    strength = np.exp(rng.uniform(np.log(1.0), np.log(5.0)))
    tempered = np.sqrt(natural) / np.sqrt(natural).mean()
    drawn = rng.gamma(strength * tempered) + 1e-9
    return cap_shares(drawn, caps)
