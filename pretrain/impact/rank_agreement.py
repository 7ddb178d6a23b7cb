"""Rank agreement: whether two kinds of runs (of two sizes, learning rates or seeds) rank the arms alike.

Over 25 corpora, models of 150 M ordered 80 % of pairs as models of 1 B did, and no extrapolation of scaling laws did
better (DataDecide, Magnusson et al. 2025, arXiv:2504.11393).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gristmill.pretrain.impact.significance import Interval

ALPHA, DRAWS, SEED = 0.05, 1000, 0


class Agreement(NamedTuple):
    """Agreement of two rankings, with 95 % intervals over seeds."""

    tau: float  # Kendall's
    tau_interval: Interval
    rho: float  # Spearman's
    rho_interval: Interval
    pairs: float  # share of pairs of arms that both order alike

    def table(self) -> dict:
        """Return the agreement as JSON."""
        return self._asdict() | {"tau_interval": list(self.tau_interval), "rho_interval": list(self.rho_interval)}


def kendall(losses: ArrayLike, others: ArrayLike) -> float:
    """Compute Kendall's tau: 1 for the same order, 0 for none, -1 for the reverse; a tie is no order."""
    return float(_kendall(np.asarray(losses)[None], np.asarray(others)[None])[0])


def spearman(losses: ArrayLike, others: ArrayLike) -> float:
    """Compute Spearman's rank correlation; 0 if all losses of one side are equal."""
    return float(_spearman(np.asarray(losses)[None], np.asarray(others)[None])[0])


def agreement(losses: np.ndarray, others: np.ndarray) -> Agreement:
    """Compare the rankings by mean loss of two kinds of runs, float64[arms, seeds] each; seeds are resampled.

    The means of n resampled seeds vary less than those of n new ones, by the root of (n - 1) / n, so deviations are
    stretched by its inverse.
    """
    rng = np.random.default_rng(SEED)
    means = losses.mean(1), others.mean(1)
    drawn = _resampled(losses, rng), _resampled(others, rng)
    return _describe(kendall(*means), spearman(*means), drawn)


def agreement_of_seeds(losses: np.ndarray) -> Agreement:
    """Compare the ranking of one run of each arm with that of another; the intervals hold for such a pair.

    ``losses`` is float64[arms, seeds], of two seeds or more.
    """
    rng = np.random.default_rng(SEED)
    arms, seeds = losses.shape
    first = rng.integers(0, seeds, (DRAWS, arms))
    second = (first + rng.integers(1, seeds, (DRAWS, arms))) % seeds  # another one
    drawn = losses[np.arange(arms), first], losses[np.arange(arms), second]
    return _describe(float(_kendall(*drawn).mean()), float(_spearman(*drawn).mean()), drawn)


def _describe(tau: float, rho: float, drawn: tuple[np.ndarray, np.ndarray]) -> Agreement:
    taus, rhos = (Interval(*np.quantile(each(*drawn), [ALPHA / 2, 1 - ALPHA / 2])) for each in (_kendall, _spearman))
    return Agreement(tau, taus, rho, rhos, (tau + 1) / 2)


def _kendall(losses: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the tau of each row, of [n, arms]."""
    first, second = np.triu_indices(losses.shape[1], 1)
    if not first.size:
        return np.ones(len(losses))
    return (np.sign(losses[:, first] - losses[:, second]) * np.sign(others[:, first] - others[:, second])).mean(1)


def _spearman(losses: np.ndarray, others: np.ndarray) -> np.ndarray:
    first, second = _ranks(losses), _ranks(others)
    sizes = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    return np.divide((first * second).sum(1), sizes, out=np.zeros(len(losses)), where=sizes > 0)


def _ranks(losses: np.ndarray) -> np.ndarray:
    """Return the rank of each arm within its row, from the middle; ties share theirs."""
    return np.sign(losses[:, :, None] - losses[:, None]).sum(2) / 2


def _resampled(losses: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return mean losses over resampled seeds, float64[draws, arms]."""
    arms, seeds = losses.shape
    mean = losses.mean(1)
    drawn = losses[np.arange(arms)[:, None], rng.integers(0, seeds, (DRAWS, arms, seeds))].mean(2)
    return mean + (drawn - mean) * np.sqrt(seeds / max(1, seeds - 1))
