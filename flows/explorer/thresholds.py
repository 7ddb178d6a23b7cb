"""Adjustable thresholds of a run, and the effect of moving them.

Rules are applied as in a run (`gristmill.filters.core.decide`), to the measures of all documents at once. Decisions of
steps over the whole corpus, such as duplicates, are not recomputed: only a run can choose which copy of a text is kept
after other documents have come or gone.
"""

import math
from functools import lru_cache
from typing import NamedTuple, cast

import numpy as np

from gristmill.filters.core.adjustable import adjustable_settings, setting_of
from gristmill.filters.core.decide import breaks, thresholds
from gristmill.filters.core.filter import Filter, Rule
from gristmill.filters.core.profiles import NO_PROFILE
from gristmill.flows.clean.plan import language_step
from gristmill.flows.explorer.index import Reason, RunIndex
from gristmill.flows.runs.what_if import change_recipe
from gristmill.pipelines.errors import RecipeError, shown
from gristmill.pipelines.settings import OFF

LARGEST = 1 << 53  # whole numbers below are exact as float64, as which measures are compared


class Threshold(NamedTuple):
    """Rule and the setting that holds its threshold."""

    step: str
    rule: str
    setting: str
    whole: bool  # takes whole numbers only

    @property
    def name(self) -> str:
        return f"{self.step}.{self.rule}"

    def change(self, value: str, profile: str = "") -> str:
        """Return the change for ``--set`` and `gristmill what-if`: ``gopher.min_words=30``."""
        return f"{self.path(profile)}={value}"

    def path(self, profile: str = "") -> str:
        return f"{self.step}.profiles.{profile}.{self.setting}" if profile else f"{self.step}.{self.setting}"


def adjustable(filters: dict[str, Filter]) -> dict[str, Threshold]:
    """Return ``step.rule`` -> threshold, for each threshold of the filters that is a setting."""
    found = [Threshold(name, *which) for name, step in filters.items() for which in adjustable_settings(step)]
    return {threshold.name: threshold for threshold in found}


class WhatIf(NamedTuple):
    """Result of a run with moved thresholds."""

    after: np.ndarray  # bool[n]: documents that would be kept
    broken: dict[Reason, np.ndarray]  # bool[n] for each rule with a moved threshold: documents that violate it


class Thresholds:
    """Thresholds of a run, before and after moves."""

    def __init__(self, index: RunIndex):
        self.index = index
        self.adjustable = adjustable(index.filters)
        self.recipe = lru_cache(64)(lambda changes: change_recipe(index.recipe_table, changes))
        self.moved = lru_cache(8)(self._move)  # a byte per document, and one for each moved rule

    def read(self, changes: list[str]) -> tuple[str, ...]:
        """Return a page's moves in one form and order, without moves to the run's own value.

        Raises RecipeError if a threshold is unknown or cannot take the value.
        """
        moved = {}
        for change in changes:
            path, _, value = change.partition("=")
            threshold, profile = self._named(path)
            number = None if value == OFF else _number(value, threshold)
            if number != self.value(threshold, profile, ()):
                moved[path] = threshold.change(OFF if number is None else f"{number!r}", profile)
            else:
                moved.pop(path, None)
        checked = tuple(moved[path] for path in sorted(moved))
        self.recipe(checked)
        return checked

    def _named(self, path: str) -> tuple[Threshold, str]:
        for threshold in self.adjustable.values():
            for profile in ("", *self.index.profile.names):
                if path == threshold.path(profile):
                    return threshold, profile
        raise RecipeError(f"this run has no adjustable threshold {shown(path)}")

    def filter(self, step: str, changes: tuple[str, ...]) -> Filter:
        """Return a filter of the run under ``changes``."""
        return cast(Filter, self.recipe(changes).steps[step])

    def rules(self, changes: tuple[str, ...], step: str) -> tuple[dict[str, Rule], list[dict[str, Rule]]]:
        """Return a step's rules under ``changes``: the default ones, and those for each profile of the index."""
        recipe, names = self.recipe(changes), self.index.profile.names
        filter, labeled = self.filter(step, changes), language_step(recipe, step)
        return filter.rules(), [filter.for_profile(name if labeled else NO_PROFILE).rules() for name in names]

    def limits(self, changes: tuple[str, ...], step: str, rule: str) -> np.ndarray:
        """Return float64[n], each document's threshold; NaN if the rule is off."""
        default, by_profile = self.rules(changes, step)
        column = default[rule].by if default[rule].thresholds else None
        by = None if column is None else self.index.strings(step, column)
        return thresholds(rule, default[rule], by_profile, self.index.profile.codes, by)

    def _move(self, changes: tuple[str, ...]) -> WhatIf:
        """Return the result of moves; raise RecipeError if a threshold cannot take its value."""
        index, counts, broken = self.index, self.index.breaks.astype(np.int32), {}
        for step in self.changed(changes):
            now, then = self.rules((), step), self.rules(changes, step)
            for name, rule in then[0].items():
                if now[0][name] != rule or any(a[name] != b[name] for a, b in zip(now[1], then[1], strict=True)):
                    value = index.column(step, rule.measure)
                    broken[step, name] = breaks(rule, value, self.limits(changes, step, name))
                    counts[index.broken.get((step, name), [])] -= 1
                    counts += broken[step, name]
        return WhatIf(counts == 0, broken)

    def changed(self, changes: tuple[str, ...]) -> list[str]:
        """Return the filters whose settings differ."""
        now, then = (self.recipe(each).steps for each in ((), changes))
        return [name for name in self.index.filters if now[name] != then[name]]

    def has_own(self, threshold: Threshold, profile: str, changes: tuple[str, ...]) -> bool:
        """True if a language profile sets this threshold."""
        return threshold.setting.partition(".")[0] in self.filter(threshold.step, changes).overrides(profile)

    def value(self, threshold: Threshold, profile: str, changes: tuple[str, ...]) -> float | None:
        """Return the threshold for a profile ("" for the default); None if the rule is off."""
        step = self.filter(threshold.step, changes)
        step = step.for_profile(profile) if profile else step
        value = setting_of(step, threshold.setting)
        return step.rules()[threshold.rule].threshold if isinstance(value, str) else value  # "auto" elsewhere

    def what_if(self, changes: tuple[str, ...]) -> dict:
        """Return documents and bytes kept before and after the moves, and the number of documents that change state."""
        index, kept = self.index, self.index.kept
        moved = self.moved(changes)
        return {
            "documents": index.documents,
            "kept": [int(kept.sum()), int(moved.after.sum())],
            "clean_bytes": [int(index.clean_bytes[kept].sum()), int(index.clean_bytes[moved.after].sum())],
            "newly_removed": int((kept & ~moved.after).sum()),
            "newly_kept": int((moved.after & ~kept).sum()),
            "violations": {
                f"{step}.{rule}": [len(index.broken.get((step, rule), ())), int(rows.sum())]
                for (step, rule), rows in moved.broken.items()
            },
        }


def _number(value: str, threshold: Threshold) -> int | float:
    """Return a value in the setting's type; 30.0 counts as a whole number."""
    try:
        number = float(value) if value.isascii() and "_" not in value else math.nan
        if not abs(number) < LARGEST or (threshold.whole and number != round(number)):
            raise ValueError
    except ValueError:
        kind = "a whole number" if threshold.whole else "a number"
        raise RecipeError(f"{threshold.step}.{threshold.setting} must be {kind} or off, found {shown(value)}") from None
    return int(number) if threshold.whole else number
