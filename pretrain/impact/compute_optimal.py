"""Compute-optimal split of a budget: the model size N and the tokens D of the lowest loss for C = 6 N D FLOPs.

Both forms of the law have N ∝ C^a and D ∝ C^b with a = β / (α + β) and b = α / (α + β) (arXiv:2203.15556, eq. 4). At
the optimum α times the term of N equals β times the term of D.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gristmill.pretrain.impact.fit_scaling_law import ALPHA, BETA, A, B
from gristmill.pretrain.impact.scaling import FORMS, Fit, laws
from gristmill.pretrain.impact.significance import Interval, t_quantile

FLOPS = 6.0  # of training, per parameter and token
LARGEST = math.log(np.finfo(np.float64).max)


class Estimate(NamedTuple):
    """Estimate with its interval."""

    value: float
    interval: Interval


class Optimum(NamedTuple):
    """Best use of a budget."""

    flops: float
    size: Estimate  # parameters
    tokens: Estimate
    loss: Estimate


def exponents(law: Fit, alpha: float = 0.05) -> tuple[Estimate, Estimate]:
    """Return a and b, of model size and tokens; raises ValueError for a law without terms of both."""
    _check(law)
    shares = [theta[:, BETA] / (theta[:, ALPHA] + theta[:, BETA]) for theta in (law.theta[None], law.draws)]
    return _estimate(shares, law, alpha), _estimate([1 - share for share in shares], law, alpha)


def best_split(law: Fit, flops: float, alpha: float = 0.05) -> Optimum:
    """Return the best model size and number of tokens for a budget; raises ValueError as `exponents` does."""
    _check(law)
    thetas, log_tokens = (law.theta[None], law.draws), math.log(flops / FLOPS)
    sizes = [_log_size(theta, law.form, flops) for theta in thetas]
    losses = [laws(theta, law.form, _exp(n), _exp(log_tokens - n)) for theta, n in zip(thetas, sizes, strict=True)]
    return Optimum(
        flops,
        _estimate(sizes, law, alpha, _exp),
        _estimate([log_tokens - each for each in sizes], law, alpha, _exp),
        _estimate(losses, law, alpha),
    )


def _check(law: Fit) -> None:
    _, size, data, _ = FORMS[law.form]
    if not (size and data):
        raise ValueError(f"the law {law.form!r} has no terms of both size and tokens, so no split is best")


def _exp(logs: Any) -> Any:
    """Return e to the power of logarithms; resamples that determine nothing end at the largest number."""
    return np.exp(np.clip(logs, -LARGEST, LARGEST))


def _log_size(theta: np.ndarray, form: str, flops: float) -> np.ndarray:
    scale = theta[:, BETA] if FORMS[form][3] else 1.0  # the terms of Kaplan's form are divided by β
    alpha, beta = theta[:, ALPHA], theta[:, BETA]
    constant = theta[:, A] - theta[:, B] + scale * np.log(np.maximum(alpha, 1e-9) / np.maximum(beta, 1e-9))
    return (constant + beta * math.log(flops / FLOPS)) / (alpha + beta)


def _estimate(values: list[np.ndarray], law: Fit, alpha: float, back: Callable = float) -> Estimate:
    """Return the estimate with a percentile interval, of its value (one number) and its resamples.

    Few points underestimate the spread, so it is stretched as in Student's t.
    """
    (center,), draws = values
    stretch = math.sqrt(law.points / law.freedom) * t_quantile(law.freedom, 0.975) / t_quantile(1e9, 0.975)
    low, high = center + stretch * (np.quantile(draws, [alpha / 2, 1 - alpha / 2]) - center)
    return Estimate(float(back(center)), Interval(float(back(low)), float(back(high))))
