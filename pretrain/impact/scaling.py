"""Scaling laws of losses of several model sizes: L(N, D) = E + A / N^α + B / D^β, or some of its terms.

Kaplan's form is ((Nc / N)^(α/β) + Dc / D)^β, with A = Nc^α and B = Dc^β (arXiv:2001.08361, eq. 1.5).

Arms of an experiment may share the law and differ in the worth of their tokens: D counts as k D. A few runs of each arm
determine this one number ("filtered, a token is worth 1.4").
"""

import math
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from gristmill.pretrain.impact.fit_scaling_law import ALPHA, BETA, FIRST_ARM, MIN_SCALE, A, B, E, minimize
from gristmill.pretrain.impact.significance import Interval, t_quantile

LARGEST = 700.0  # logarithm of the largest loss or parameter
DELTA = 1e-3  # of Huber's loss: residuals up to 0.1 % count by their square (Hoffmann et al. 2022)
EXPONENTS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.1)  # starting points are all pairs
MIN_EXPONENT, MAX_EXPONENT, MIN_SHARE = 0.01, 3.0, 1e-3  # a term outside of them is undetermined
# Whether a form has the terms of E, N and D, and whether it is Kaplan's joint form.
FORMS = {"chinchilla": (True, True, True, False), "kaplan": (False, True, True, True)}
FORMS |= {"kaplan-n": (False, True, False, False), "kaplan-d": (False, False, True, False)}
FORMS |= {"data": (True, False, True, False), "size": (True, True, False, False)}  # one model size, or one token count


class Fit(NamedTuple):
    """A fitted law; all intervals hold at once with the requested confidence."""

    form: str
    values: dict[str, float]  # those of E, A, B, alpha, beta that the form has
    intervals: dict[str, Interval]
    worth: list[float]  # of a token of each arm, 1 for the first
    worth_intervals: list[Interval]
    residual: float  # median of |ln L̂ - ln L|
    points: int
    freedom: int  # points beyond the number of parameters
    largest: tuple[float, float]  # N and D of the points
    undetermined: list[str]  # parameters without effect on any point
    draws: np.ndarray  # θ of each resample

    @property
    def theta(self) -> np.ndarray:
        """The parameters as `minimize` takes them."""
        return np.array([*theta_of(self.values), *np.log(self.worth[1:])])

    def predict(self, size: float, tokens: float, arm: int = 0, alpha: float = 0.05) -> tuple[float, Interval]:
        """Return the loss of a model of ``size`` parameters on ``tokens`` tokens, with the interval of the law."""
        center = laws(self.theta[None], self.form, size, tokens, arm)[0]
        low, high = np.quantile(laws(self.draws, self.form, size, tokens, arm), [alpha / 2, 1 - alpha / 2])
        return float(center), Interval(float(low), float(high))

    def extrapolation(self, size: float, tokens: float) -> float:
        """Return how many times larger this is than any point of the fit; above 10 a prediction is a guess."""
        _, n, d, _ = FORMS[self.form]
        return max(1.0, size / self.largest[0] if n else 1.0, tokens / self.largest[1] if d else 1.0)


def fit(
    sizes: Sequence[float],
    tokens: Sequence[float],
    losses: Sequence[float],
    arms: Sequence[int] | np.ndarray | None = None,
    form: str = "chinchilla",
    delta: float = DELTA,
    alpha: float = 0.05,
    draws: int = 400,
    seed: int = 0,
) -> Fit:
    """Fit a law to parameters, tokens and loss of each run. ``arms`` numbers the arm of each run from 0.

    Intervals come from a Bayesian bootstrap (Rubin 1981), which reweights points and leaves none out, so that nine runs
    suffice. Raises ValueError unless there are more points than parameters.
    """
    points = np.column_stack([np.log(np.asarray(each, float)) for each in (sizes, tokens, losses)])
    arm = np.zeros(len(points), np.int64) if arms is None else np.asarray(arms, np.int64)
    terms, free = np.array(FORMS[form]), sum(FORMS[form][0:1]) + 2 * sum(FORMS[form][1:3])
    free += int(arm.max())
    if len(points) <= free:
        raise ValueError(f"{len(points)} runs cannot determine {free} parameters of {form}; expected {free + 1}")
    weights = np.ones(len(points))
    found = [minimize(start, points, arm, weights, terms, delta) for start in _starts(points, arm, terms)]
    best, _ = min(found, key=lambda each: each[1])
    rng = np.random.default_rng(seed)
    drawn = np.empty((draws, best.size))
    for i in range(draws):
        again = rng.exponential(size=len(points))
        drawn[i], _ = minimize(best, points, arm, again / again.mean(), terms, delta)
    return _summarize(form, best, drawn, points, arm, free, alpha)


def _starts(points: np.ndarray, arms: np.ndarray, terms: np.ndarray) -> list[np.ndarray]:
    """Starting points: for each pair of exponents, least squares of the relative error in E, A and B.

    Kaplan's form is linear in the powers 1 / β of the loss, Nc and Dc.
    """
    starts, center = [], points.mean(0)
    for alpha in EXPONENTS if terms[1] else (0.0,):
        for beta in EXPONENTS if terms[2] else (0.0,):
            scale = beta if terms[3] else 1.0
            loss = np.exp((points[:, 2] - center[2]) / scale)
            exponents = (0, alpha / scale), (1, beta / scale)
            parts = np.column_stack(
                [np.ones(len(points)), *(np.exp(-x * (points[:, k] - center[k])) for k, x in exponents)]
            )
            parts[:, ~terms[:3]] = 0.0
            found = np.linalg.lstsq(parts / loss[:, None], np.ones(len(points)), rcond=None)[0]
            e, a, b = scale * np.log(np.maximum(found, 0.02 * loss.mean())) + center[2]
            theta = np.zeros(FIRST_ARM + int(arms.max()))
            theta[[E, A, ALPHA, B, BETA]] = e, a + alpha * center[0], alpha, b + beta * center[1], beta
            starts.append(theta)
    return starts


def _summarize(form: str, best, drawn, points, arms, free: int, alpha: float) -> Fit:
    e, n, d, _ = FORMS[form]
    names = {"E": (E, e), "A": (A, n), "alpha": (ALPHA, n), "B": (B, d), "beta": (BETA, d)}
    parameters = {name: place for name, (place, used) in names.items() if used}
    columns = [*parameters.values(), *range(FIRST_ARM, best.size)]
    spread = np.maximum(drawn[:, columns].std(0), 1e-300)
    # The quantile of the largest standardized deviation gives intervals that hold at once. Few points underestimate the
    # spread, so it is stretched by the degrees of freedom, as in Student's t.
    critical = np.quantile((np.abs(drawn[:, columns] - best[columns]) / spread).max(1), 1 - alpha)
    df = len(points) - free
    critical *= math.sqrt(len(points) / df) * t_quantile(df, 1 - alpha / 2) / t_quantile(1e9, 1 - alpha / 2)
    half_width = dict(zip(columns, critical * spread, strict=True))

    def interval(place: int) -> Interval:
        low, high = best[place] - half_width[place], best[place] + half_width[place]
        return Interval(float(low), float(high)) if place in (ALPHA, BETA) else Interval(_exp(low), _exp(high))

    runs = zip(np.exp(points[:, :2]), arms, strict=True)
    predicted = np.array([laws(best[None], form, size, tokens, arm)[0] for (size, tokens), arm in runs])
    return Fit(
        form=form,
        values={k: float(best[i]) if i in (ALPHA, BETA) else _exp(best[i]) for k, i in parameters.items()},
        intervals={name: interval(place) for name, place in parameters.items()},
        worth=[1.0, *(_exp(value) for value in best[FIRST_ARM:])],
        worth_intervals=[Interval(1.0, 1.0), *(interval(place) for place in range(FIRST_ARM, best.size))],
        residual=float(np.median(np.abs(np.log(predicted) - points[:, 2]))),
        points=len(points),
        freedom=df,
        largest=(_exp(points[:, 0].max()), _exp(points[:, 1].max())),
        undetermined=[name for name in parameters if name not in ("A", "B") and not _is_determined(name, best, points)],
        draws=drawn,
    )


def _is_determined(name: str, theta: np.ndarray, points: np.ndarray) -> bool:
    """True if the term of E, alpha or beta contributes to some run's loss, with a plausible exponent."""
    place, exponent, axis = {"E": (E, None, 0), "alpha": (A, ALPHA, 0), "beta": (B, BETA, 1)}[name]
    power = theta[exponent] if exponent else 0.0
    share = float((theta[place] - power * points[:, axis] - points[:, 2]).max())
    return share > math.log(MIN_SHARE) and (exponent is None or MIN_EXPONENT < power < MAX_EXPONENT)


def theta_of(values: dict[str, float]) -> list[float]:
    """Return e, a, α, b and β of a law's E, A, alpha, B and beta; 0 for a parameter that the law has not."""
    log = {name: math.log(values[name]) if name in values else 0.0 for name in ("E", "A", "B")}
    return [log["E"], log["A"], values.get("alpha", 0.0), log["B"], values.get("beta", 0.0)]


def laws(theta: np.ndarray, form: str, size: ArrayLike, tokens: ArrayLike, arm: int = 0) -> np.ndarray:
    """Return the loss under each row of θ; size and tokens may be arrays with one value per row."""
    e, n, d, joint = FORMS[form]
    worth = theta[:, FIRST_ARM + arm - 1] if arm else 0.0
    scale = np.maximum(theta[:, BETA], MIN_SCALE) if joint else 1.0
    log_terms = (
        (e, theta[:, E]),
        (n, (theta[:, A] - theta[:, ALPHA] * np.log(size)) / scale),
        (d, (theta[:, B] - theta[:, BETA] * (np.log(tokens) + worth)) / scale),
    )
    log_sum = reduce(np.logaddexp, (term for used, term in log_terms if used))
    return np.exp(np.minimum(LARGEST, scale * log_sum))


def _exp(value: float) -> float:
    return math.exp(min(LARGEST, value))
