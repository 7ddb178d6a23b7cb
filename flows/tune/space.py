"""Search space: ranges of thresholds, and candidates that spread over them by what each value cuts.

Candidates are a Latin hypercube: with n of them, each threshold takes a value of each of n strata once. Strata are
those of the distinct measured values in the range, since two values without a document between them are one cut.
"""

import re
from typing import NamedTuple

import numpy as np

from gristmill.filters.core.adjustable import adjustable_settings, setting_of
from gristmill.filters.core.filter import Filter
from gristmill.flows.clean.recipe import Recipe
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.errors import RecipeError, shown
from gristmill.pipelines.settings import OFF

NUMBER = r"-?\d{1,15}(?:\.\d{1,15})?(?:[eE]-?\d{1,2})?"
DIGITS = 3  # significant ones of a value between the ends of a range
MOST_VALUES = 1000  # of a setting that no measure tells about
MOST_THRESHOLDS = 16


class Span(NamedTuple):
    """Values that a search may give to one setting."""

    path: str  # gopher.min_words, or gopher.profiles.zh.min_words
    low: float
    high: float
    values: tuple[float, ...] = ()  # the only ones, if any are named
    whole: bool = False

    def __str__(self) -> str:
        if self.values:
            return f"{self.path}={','.join(map(self.text, self.values))}"
        return f"{self.path}={self.text(self.low)}..{self.text(self.high)}"

    def text(self, value: float) -> str:
        return str(int(value)) if self.whole else f"{value:g}"


Candidate = tuple[str, ...]  # changes such as "gopher.min_words=30"; none for the recipe itself


def parse_span(text: str) -> Span:
    """Read ``gopher.min_words=20..80`` or ``gopher.min_words=20,50,80``; raise RecipeError for any other text.

    >>> str(parse_span("gopher.min_words=20..80"))
    'gopher.min_words=20..80'
    """
    path, _, values = (part.strip() for part in text.partition("="))
    names = path.split(".")
    between = re.fullmatch(rf"({NUMBER})\.\.({NUMBER})", values)
    listed = re.fullmatch(rf"{NUMBER}(?:,{NUMBER})+", values)
    if len(names) < 2 or not all(names) or not (between or listed):
        raise RecipeError(f"threshold {shown(text)}: expected STEP.SETTING=LOW..HIGH or STEP.SETTING=A,B,C")
    written = list(between.groups()) if between else values.split(",")
    numbers = sorted({float(each) for each in written})
    if len(numbers) < 2:
        raise RecipeError(f"threshold {shown(text)}: expected two different values or more")
    whole = all(re.fullmatch(r"-?\d+", each) for each in written)
    return Span(path, numbers[0], numbers[-1], () if between else tuple(numbers), whole)


def parse_spans(texts: list[str]) -> list[Span]:
    """Read all spans; raise RecipeError if there is none, too many, or two of one setting."""
    spans = [parse_span(text) for text in texts]
    paths = [span.path for span in spans]
    if not spans or len(spans) > MOST_THRESHOLDS:
        raise RecipeError(
            f"found {len(spans)} thresholds, expected 1 to {MOST_THRESHOLDS}: --thresholds STEP.SETTING=LOW..HIGH"
        )
    if twice := [path for path in paths if paths.count(path) > 1]:
        raise RecipeError(f"threshold {twice[0]!r} is given twice; keep one of its ranges")
    return spans


def owner(recipe: Recipe, span: Span) -> tuple[Filter | None, str]:
    """Return the filter of a span, for its profile if it names one, and the setting; None for a corpus step."""
    name, *rest = span.path.split(".")
    step = recipe.steps.get(name)
    if not isinstance(step, Filter):
        return None, ".".join(rest)
    if rest[0] == "profiles" and len(rest) > 2:
        return step.for_profile(rest[1]), ".".join(rest[2:])
    return step, ".".join(rest)


def was(recipe: Recipe, span: Span) -> str:
    """Return the recipe's own value as text, "off" without one."""
    step, setting = owner(recipe, span)
    value = setting_of(step, setting) if step else getattr(recipe.steps[span.path.partition(".")[0]], setting)
    return OFF if value is None else span.text(value) if isinstance(value, int | float) else str(value)


def fit(span: Span, run: FinishedRun) -> tuple[Span, np.ndarray]:
    """Return the span with the type of its setting, and the values to try, float64 [n], rising.

    These are the ends of the range and, between them, the values that documents measure.
    """
    step, setting = owner(run.recipe, span)
    measured = np.linspace(span.low, span.high, MOST_VALUES)
    for each in adjustable_settings(step) if step else ():
        if step and each.setting == setting:
            span, measure = span._replace(whole=each.whole), step.rules()[each.rule].measure
            name = span.path.partition(".")[0]
            measured = np.concatenate([run.measures(name, part, [measure])[measure].to_numpy() for part in run.parts])
    if span.values:
        return span, np.array(span.values)
    rounded = np.round(measured) if span.whole else np.array([float(f"{value:.{DIGITS}g}") for value in measured])
    inside = np.unique(rounded[(rounded > span.low) & (rounded < span.high)].astype(float))
    return span, np.concatenate([[span.low], inside, [span.high]])


def candidates(spans: list[Span], values: list[np.ndarray], count: int, seed: int) -> list[Candidate]:
    """Return up to ``count`` different candidates: the same for the same seed."""
    rng, n = np.random.default_rng(seed), count
    columns = []
    for span, tried in zip(spans, values, strict=True):
        place = rng.permutation(n) / max(1, n - 1) if n > 1 else np.array([0.5])
        columns.append([f"{span.path}={span.text(tried[k])}" for k in np.round(place * (tried.size - 1)).astype(int)])
    return list(dict.fromkeys(zip(*columns, strict=True)))
