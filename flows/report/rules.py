"""Rules, what they took, and how the measures they look at are spread."""

import math
from collections import Counter
from typing import Any, NamedTuple

import polars as pl
from upath import UPath

from gristmill.dedup.near.near_duplicates import NearDuplicates
from gristmill.filters.core.filter import LANGUAGE, Filter, Rule
from gristmill.filters.core.profiles import NO_PROFILE, profile_of
from gristmill.filters.perplexity.cross_fit import CrossFitPerplexity
from gristmill.flows.clean.plan import decisions_of, report_of
from gristmill.flows.report.ledger import LedgerSummary
from gristmill.flows.report.svg import Histogram, histogram, number
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.steps.corpus_step import CorpusStep

SIGNS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥"}


class Looks(NamedTuple):
    """What a rule looks at, and when a document breaks it."""

    measure: str
    breaks: str
    threshold: float | None  # None: off
    others: list[str]  # thresholds of language profiles and single values that differ, in words
    folder: str = "measures"  # the step's table that the measure is in

    def __str__(self) -> str:
        return f"{SIGNS[self.breaks]} {number(self.threshold)}" if self.threshold is not None else "off"

    def cut(self, whole: bool) -> float | None:
        """The least value on the right of the threshold: of whole numbers above 2, that is 3."""
        beyond = whole and self.breaks in (">", "<=") and self.threshold is not None
        return math.floor(self.threshold) + 1 if beyond else self.threshold


# Steps over the corpus that leave a value of many documents.
SCORED = {
    NearDuplicates.NAME: ("near_duplicate", "similarity", ">=", "threshold", "clusters"),
    CrossFitPerplexity.NAME: ("context_gain_too_low", "context_gain", "<", "min_context_gain", "scores"),
}


def steps(work: FinishedRun, told: LedgerSummary) -> list[dict[str, Any]]:
    """Every step with its rules: what they look at, what they took."""
    profiles = _profiles(told)
    return [_step(work, name, told, profiles) for name in work.recipe.steps]


def _profiles(told: LedgerSummary) -> Counter:
    """How many documents each language profile judges."""
    counts = Counter()
    names = profile_of(told.languages[LANGUAGE].to_numpy()) if told.languages.height else []
    for name, documents in zip(names, told.languages["documents"], strict=True):
        counts[name] += documents
    return counts or Counter({NO_PROFILE: 1})


def _step(work: FinishedRun, name: str, told: LedgerSummary, profiles: Counter) -> dict[str, Any]:
    step, counts = work.recipe.steps[name], work.summary["steps"][name]
    looks, found = _looks(step, profiles), counts["rules"]
    on = {rule: look for rule, look in looks.items() if look.threshold is not None or look.others}
    rules = [
        {"rule": rule, "looks": looks.get(rule), "alone": told.alone.get((name, rule), 0), **taken}
        for rule, taken in found.items()
    ]
    return {
        "name": name,
        "about": (type(step).__doc__ or "").partition("\n")[0],
        **counts,
        "rules": rules,
        "quiet": sorted(on.keys() - found.keys()),
        "off": sorted(looks.keys() - on.keys()),
        "on": {rule: on[rule] for rule in [*found, *sorted(on)] if rule in on},
    }


def _looks(step: Filter | CorpusStep, profiles: Counter) -> dict[str, Looks]:
    """Rule -> what it looks at, for the steps that say so."""
    if isinstance(step, Filter):
        by_profile = {profile: step.for_profile(profile).rules() for profile in profiles}
        return {name: _filter_rule(name, rule, by_profile, profiles) for name, rule in step.rules().items()}
    if step.NAME in SCORED:
        rule, measure, breaks, setting, folder = SCORED[step.NAME]
        return {rule: Looks(measure, breaks, getattr(step, setting), [], folder)}
    return {}


def _filter_rule(name: str, rule: Rule, by_profile: dict[str, dict[str, Rule]], profiles: Counter) -> Looks:
    """The threshold most documents have, and the others."""
    documents = Counter()
    for profile, count in profiles.items():
        documents[by_profile[profile][name].threshold] += count
    ((most, _),) = documents.most_common(1)
    thresholds = {profile: rules[name].threshold for profile, rules in sorted(by_profile.items())} | rule.thresholds
    others = [f"{key} {'off' if t is None else number(t)}" for key, t in thresholds.items() if t != most]
    return Looks(rule.measure, rule.breaks, most, others)


def plots(work: FinishedRun, step: dict[str, Any]) -> list[dict]:
    """A picture of each measure that a step's rules look at, with the thresholds of all of them."""
    name, looks = step["name"], step["on"]
    by_measure: dict[str, list[str]] = {}
    for rule, look in looks.items():
        by_measure.setdefault(look.measure, []).append(rule)
    drawn = []
    for measure, rules in by_measure.items():
        if picture := _picture(work, name, {rule: looks[rule] for rule in rules}):
            says = sorted((looks[rule] for rule in rules), key=lambda look: look.threshold or 0)
            drawn.append({"measure": measure, "says": ", ".join(map(str, says)), "picture": picture})
    return drawn


def _picture(work: FinishedRun, name: str, looks: dict[str, Looks]) -> Histogram | None:
    """All documents' values of a measure, and those of the documents that break its rules, as they were decided."""
    look = next(iter(looks.values()))
    folder = report_of(work.folder, name, look.folder)
    values = [work.shard(folder, part, [look.measure])[look.measure] for part in work.parts]
    kind = values[0].dtype if values else pl.Null
    if not kind.is_numeric():
        return None
    broken = [_broken(work, decisions_of(work.folder, name), part, list(looks)) for part in work.parts]
    numbers = [pl.concat(columns).cast(pl.Float64).drop_nulls().to_numpy() for columns in (values, broken)]
    cuts = {look.cut(kind.is_integer()) for look in looks.values()} - {None}
    drawn = histogram(*numbers, sorted(cuts), kind.is_integer())
    return drawn if drawn.bars else None


def _broken(work: FinishedRun, folder: UPath, part: str, rules: list[str]) -> pl.Series:
    """The values by which documents of a shard break any of the rules."""
    broken = work.shard(folder, part, ["broken"])["broken"].explode(empty_as_null=False)
    values = broken.struct.unnest().filter(pl.col("rule").is_in(rules))["value"]
    return values.filter(values.is_finite())
