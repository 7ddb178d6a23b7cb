"""Thresholds that can be moved, and what moving some of them would change.

The rules are asked as a run asks them (`gristmill.filters.core.decide`), of the measures of all documents at once. What
the steps over the whole corpus decided, duplicates above all, is counted as it stands: only a run can say which copy of
a text stays once others come or go.
"""

import math
from functools import lru_cache
from types import UnionType
from typing import Annotated, NamedTuple, Union, get_args, get_origin

import numpy as np

from gristmill.filters.core.decide import breaks, thresholds
from gristmill.filters.core.filter import Filter, Rule
from gristmill.filters.core.profiles import NO_PROFILE, profile_settings
from gristmill.flows.clean.plan import labelled_by
from gristmill.flows.explorer.index import Reason, RunIndex
from gristmill.flows.runs.what_if import change_recipe
from gristmill.pipelines.errors import GristmillError, RecipeError
from gristmill.pipelines.settings import OFF

NOWHERE = -(1 << 62)  # no threshold: which rule has it when a setting does shows what the setting is for


class Threshold(NamedTuple):
    """A rule and the setting that its threshold is."""

    step: str
    rule: str
    setting: str
    whole: bool  # takes whole numbers only

    @property
    def name(self) -> str:
        return f"{self.step}.{self.rule}"

    def change(self, value: str, profile: str = "") -> str:
        """As ``--set`` and `gristmill what-if` take it: ``gopher.min_words=30``."""
        return f"{self.path(profile)}={value}"

    def path(self, profile: str = "") -> str:
        return f"{self.step}.profiles.{profile}.{self.setting}" if profile else f"{self.step}.{self.setting}"


def adjustable(filters: dict[str, Filter]) -> dict[str, Threshold]:
    """Every threshold of a chain that a setting holds, by ``step.rule``."""
    found = [Threshold(name, *which) for name, step in filters.items() for which in _settings(step)]
    return {threshold.name: threshold for threshold in found}


def _settings(step: Filter):
    """Rule, setting and whether it is whole, for each setting that a rule compares with its measure."""
    for setting, field in type(step).model_fields.items():
        kinds = _numeric_types(field.annotation)
        if not kinds or setting in step.MEASURED:
            continue
        try:
            rules = step.model_copy(update={setting: NOWHERE}).rules()
        except (LookupError, TypeError, GristmillError):  # it picks a threshold, as a percentile does, and is none
            continue
        for name, rule in rules.items():
            if rule.threshold == NOWHERE or NOWHERE in rule.thresholds.values():
                yield name, setting, float not in kinds


def _numeric_types(annotation) -> set[type]:
    """Return int and float where a type allows them."""
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return {kind for part in get_args(annotation) for kind in _numeric_types(part)}
    return {annotation} if annotation in (int, float) else set()


class WhatIf(NamedTuple):
    """What a run with some thresholds moved would come to."""

    after: np.ndarray  # bool[n]: would be kept
    broken: dict[Reason, np.ndarray]  # bool[n], for the rules whose thresholds moved


class Thresholds:
    """The thresholds of a run, and of the same run with some of them moved."""

    def __init__(self, index: RunIndex):
        self.index = index
        self.movable = adjustable(index.filters)
        self.recipe = lru_cache(64)(lambda changes: change_recipe(index.recipe_json, changes))
        self.moved = lru_cache(8)(self._move)  # a byte a document each, and one more for each rule that moved

    def read(self, changes: list[str]) -> tuple[str, ...]:
        """Moves as a page asks for them, in one form and order: what is moved to where it was is no move.

        Raises RecipeError where one names no threshold, or a value it cannot take.
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
        for threshold in self.movable.values():
            for profile in ("", *self.index.profile.names):
                if path == threshold.path(profile):
                    return threshold, profile
        raise RecipeError(f"no threshold {path!r} can be moved in this run")

    def rules(self, changes: tuple[str, ...], step: str) -> tuple[dict[str, Rule], list[dict[str, Rule]]]:
        """A step's rules under ``changes``: the default ones, and those of each profile of the index."""
        recipe, names = self.recipe(changes), self.index.profile.names
        filter, labelled = recipe.steps[step], labelled_by(recipe, step)
        return filter.rules(), [filter.for_profile(name if labelled else NO_PROFILE).rules() for name in names]

    def limits(self, changes: tuple[str, ...], step: str, rule: str) -> np.ndarray:
        """Each document's threshold, NaN where the rule is off."""
        default, by_profile = self.rules(changes, step)
        by = self.index.strings(step, default[rule].by) if default[rule].thresholds else None
        return thresholds(rule, default[rule], by_profile, self.index.profile.codes, by)

    def _move(self, changes: tuple[str, ...]) -> WhatIf:
        """Raises RecipeError where a change is none that a threshold can take."""
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
        """The filters whose settings differ."""
        now, then = (self.recipe(each).steps for each in ((), changes))
        return [name for name in self.index.filters if now[name] != then[name]]

    def has_own(self, threshold: Threshold, profile: str, changes: tuple[str, ...]) -> bool:
        """Does a language profile set this threshold apart from the default?"""
        step: Filter = self.recipe(changes).steps[threshold.step]
        shipped = profile_settings(profile, step.NAME) if step.use_profiles else {}
        return threshold.setting in {**shipped, **step.profiles.get(profile, {})}

    def value(self, threshold: Threshold, profile: str, changes: tuple[str, ...]) -> float | None:
        """The threshold as it is for one profile, "" for the default; None where the rule is off."""
        step: Filter = self.recipe(changes).steps[threshold.step]
        step = step.for_profile(profile) if profile else step
        value = getattr(step, threshold.setting)
        return step.rules()[threshold.rule].threshold if isinstance(value, str) else value  # "auto" elsewhere

    def what_if(self, changes: tuple[str, ...]) -> dict:
        """Documents and bytes kept, now and then, and how many would change sides."""
        index, kept = self.index, self.index.kept
        moved = self.moved(changes)
        return {
            "documents": index.documents,
            "kept": [int(kept.sum()), int(moved.after.sum())],
            "clean_bytes": [int(index.clean_bytes[kept].sum()), int(index.clean_bytes[moved.after].sum())],
            "newly_removed": int((kept & ~moved.after).sum()),
            "newly_kept": int((moved.after & ~kept).sum()),
            "broken": {
                f"{step}.{rule}": [len(index.broken.get((step, rule), ())), int(rows.sum())]
                for (step, rule), rows in moved.broken.items()
            },
        }


def _number(value: str, threshold: Threshold) -> int | float:
    """As the setting takes it; 30.0 is a whole number."""
    try:
        number = float(value)
        if not math.isfinite(number) or (threshold.whole and number != round(number)):
            raise ValueError
    except ValueError:
        kind = "a whole number" if threshold.whole else "a number"
        raise RecipeError(f"{threshold.step}.{threshold.setting} is {kind} or off, found {value!r}") from None
    return int(number) if threshold.whole else number
