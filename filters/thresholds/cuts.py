"""Cut-offs of rules from the distribution of their measures in one language.

After 10Tail of FineWeb2 (Penedo et al. 2025, arXiv:2506.20920), as we read it: its threshold is the edge of the
outermost 10 % of the documents, on the side that a rule removes. Ours lies three times as far from the median as that
edge. So all rules together remove 1.5 % of good documents and not 28 %, and as much as a tenth of the documents may be
noise: the edge hardly moves, where an edge of 1 % would lie in the noise.

``python -m benchmarks.profiles`` prints both figures, and those of the paper's methods that go from the thresholds for
English (MeanStd, MedianRatio, Quantile). These remove 22 to 26 % of good documents that they have not seen.

Only rules on the length of words and on the share of stop words become stricter than they are: manuals repeat more than
scripture, and a corpus seldom holds both. A threshold that is safe as it is becomes no looser.
"""

import math
from typing import NamedTuple

import numpy as np
import polars as pl

from gristmill.filters.core.filter import Filter
from gristmill.filters.rules.fineweb import FineWeb
from gristmill.filters.rules.gopher import Gopher
from gristmill.filters.rules.repetition import Repetition

WORDS = ("min_word_length", "max_word_length", "min_stop_word_ratio")  # rules that may become stricter
STOP_WORDS = ("min_stop_word_ratio", "min_stop_words")
RULES = {
    Gopher.NAME: (*WORDS, "min_stop_words", "min_alpha_words"),
    Repetition.NAME: Repetition.RULES,
    FineWeb.NAME: ("min_line_punct_ratio", "max_short_line_ratio", "max_char_dup_ratio", "max_list_ratio"),
}
DECIMALS = {"word_length": 2, "stop_words": 0}
MOST_DECIMALS = 3
BEYOND_ONE = ("max_word_length", "max_list_ratio")  # all others are shares


class Tail(NamedTuple):
    """Share of the outermost documents, and how many times as far from the median as their edge a threshold lies."""

    share: float
    factor: float

    def threshold(self, values: np.ndarray) -> float:
        """Return the threshold for a rule that removes high values."""
        median, edge = np.quantile(values, [0.5, 1 - self.share], method="higher")
        return float(median + (edge - median) * self.factor)


TAIL = Tail(0.1, 3.0)
SAFE = 0.02  # of the documents: a threshold that removes no more becomes no looser
SAFE_STOP_WORDS = TAIL.share  # the same for rules on stop words: what they remove may all be noise


def cut(setting: str, values: np.ndarray, tail: Tail = TAIL) -> float:
    """Return the threshold of a setting for the values of its measure, rounded towards what removes less.

    >>> cut("max_top_2_gram", np.arange(101) / 1000, Tail(0.01, 1.0))
    0.099
    """
    scale = 10 ** DECIMALS.get(setting[4:], MOST_DECIMALS)
    if setting.startswith("min_"):
        least = max(0, math.floor(round(-scale * tail.threshold(-values), 6)))
        return least / scale if scale > 1 else least
    most = math.ceil(round(scale * tail.threshold(values), 6)) / scale
    return most if setting in BEYOND_ONE else min(most, 1.0)


def settings_to_find(step: Filter) -> list[str]:
    """Return the settings of a step that may be found from data: rules that the recipe has not switched off."""
    fields = type(step).model_fields
    return [
        name
        for name in RULES.get(step.NAME, ())
        if step.use_profiles and (getattr(step, name) is not None or fields[name].default is None)
    ]


def find_cuts(step: Filter, language: str, measures: pl.DataFrame, tail: Tail = TAIL) -> dict[str, float]:
    """Return the settings of a step's profile for a language, from the measures of its documents.

    A threshold that the language has already is left out where it is safe, unless a rule of WORDS finds a stricter one.
    """
    own, found = step.for_profile(language), {}
    for setting in settings_to_find(step):
        value = cut(setting, measures[setting[4:]].cast(pl.Float64).to_numpy(), tail)
        before, sign = getattr(own, setting), -1 if setting.startswith("min_") else 1
        looser = before is not None and sign * value > sign * before
        safe = SAFE_STOP_WORDS if setting in STOP_WORDS else SAFE
        if share_removed(setting, before, measures) > safe if looser else setting in WORDS:
            found[setting] = value
    return found


def power(step: Gopher, language: str, measures: pl.DataFrame, tail: Tail = TAIL) -> float:
    """Return the least ratio of stop words that a language may have, per stop word, by the measures of its documents.

    Of two lists, the one with more power finds more text in which all words are equally frequent.
    """
    found = find_cuts(step, language, measures, tail)
    least = found.get("min_stop_word_ratio", step.for_profile(language).min_stop_word_ratio)
    return (least or 0.0) / len(step.stop_words_of(language))


def share_removed(setting: str, threshold: float, measures: pl.DataFrame) -> float:
    """Return the share of the documents that a threshold removes alone."""
    values = measures[setting[4:]].cast(pl.Float64).to_numpy()
    return float(np.mean(values < threshold if setting.startswith("min_") else values > threshold))
