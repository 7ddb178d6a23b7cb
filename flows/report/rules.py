"""Rules of a run: their counts, histograms of their measures, and languages judged by guessed thresholds."""

import math
from collections import Counter
from typing import Any, NamedTuple

import polars as pl
from upath import UPath

from gristmill.dedup.near.near_duplicates import NearDuplicates
from gristmill.filters.core.filter import LANGUAGE, Filter, Rule, own_profiles
from gristmill.filters.core.profiles import NO_PROFILE, profile_of, profiles, shipped_profile
from gristmill.filters.langid.labels import UNKNOWN
from gristmill.filters.perplexity.cross_fit import SCORES, THRESHOLDS, CrossFitPerplexity, read_scores
from gristmill.filters.perplexity.fold_samples import SAMPLE
from gristmill.flows.clean.plan import decisions_of, report_of
from gristmill.flows.report.ledger import LedgerSummary
from gristmill.flows.report.svg import Histogram, histogram, number
from gristmill.flows.runs.finished import FinishedRun

NAMED = 3  # language profiles to name for each threshold
SIGNS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥"}


class Looks(NamedTuple):
    """Measure of a rule, and the condition that violates it."""

    measure: str
    breaks: str
    threshold: float | None  # None: the rule is off
    others: list[str]  # other thresholds, of language profiles and single values, as text
    folder: str = "measures"  # table of the step with the measure

    def __str__(self) -> str:
        return f"{SIGNS[self.breaks]} {number(self.threshold)}" if self.threshold is not None else "off"

    def cut(self, whole: bool) -> float | None:
        """Return the smallest value to the right of the threshold: 3 for whole numbers above 2."""
        if whole and self.breaks in (">", "<=") and self.threshold is not None:
            return math.floor(self.threshold) + 1
        return self.threshold


# Steps over the corpus with a value for many documents: rule, measure, comparison, setting, table.
SCORED = {
    NearDuplicates.NAME: ("near_duplicate", "similarity", ">=", "threshold", "clusters"),
    CrossFitPerplexity.NAME: ("context_gain_too_low", "context_gain", "<", "min_context_gain", SCORES),
}


def steps(work: FinishedRun, ledger: LedgerSummary) -> list[dict[str, Any]]:
    """Return every step with its rules, their measures and their counts."""
    profiles = _profiles(ledger, own_profiles(work.recipe.steps))
    return [_step(work, name, ledger, profiles) for name in work.recipe.steps]


def _profiles(ledger: LedgerSummary, own: set[str]) -> Counter:
    """Return the number of documents for each language profile."""
    counts: Counter[str] = Counter()
    names: Any = profile_of(ledger.languages[LANGUAGE].to_numpy(), own) if ledger.languages.height else []
    for name, documents in zip(names, ledger.languages["documents"], strict=True):
        counts[name] += documents
    return counts or Counter({NO_PROFILE: 1})


def _step(work: FinishedRun, name: str, ledger: LedgerSummary, profiles: Counter) -> dict[str, Any]:
    step, counts = work.recipe.steps[name], work.summary["steps"][name]
    looks, found = _looks(work, name, profiles), counts["rules"]
    on = {rule: look for rule, look in looks.items() if look.threshold is not None or look.others}
    rules = [
        {"rule": rule, "looks": looks.get(rule), "alone": ledger.alone.get((name, rule), 0), **taken}
        for rule, taken in found.items()
    ]
    return {
        "name": name,
        "about": (type(step).__doc__ or "").partition("\n")[0].replace("``", ""),
        **counts,
        "rules": rules,
        "quiet": sorted(on.keys() - found.keys()),
        "off": sorted(looks.keys() - on.keys()),
        "on": {rule: on[rule] for rule in [*found, *sorted(on)] if rule in on},
    }


def _looks(work: FinishedRun, name: str, profiles: Counter) -> dict[str, Looks]:
    """Return rule -> its measure and condition, for steps with thresholds."""
    step = work.recipe.steps[name]
    if isinstance(step, Filter):
        by_profile = {profile: step.for_profile(profile).rules() for profile in profiles}
        return {name: _filter_rule(name, rule, by_profile, profiles) for name, rule in step.rules().items()}
    if step.NAME in SCORED:
        rule, measure, breaks, setting, folder = SCORED[step.NAME]
        threshold = getattr(step, setting)
        others = _by_language(work, name, threshold) if isinstance(step, CrossFitPerplexity) else []
        return {rule: Looks(measure, breaks, threshold, others, folder)}
    return {}


def _by_language(work: FinishedRun, name: str, most: float | None) -> list[str]:
    """Return the context gain that each language needs, where it is not ``most``."""
    found = work.whole(report_of(work.folder, name, THRESHOLDS), ["language", "min_gain"])
    rows = [] if found is None else found.rows()
    return grouped({language: gain for language, gain in rows if gain != most})


def _filter_rule(name: str, rule: Rule, by_profile: dict[str, dict[str, Rule]], profiles: Counter) -> Looks:
    """Return the threshold of most documents, and the others."""
    documents: Counter[float | None] = Counter()
    for profile, count in profiles.items():
        documents[by_profile[profile][name].threshold] += count
    ((most, _),) = documents.most_common(1)
    thresholds = {profile: rules[name].threshold for profile, rules in sorted(by_profile.items())} | rule.thresholds
    return Looks(rule.measure, rule.breaks, most, grouped({key: t for key, t in thresholds.items() if t != most}))


def grouped(thresholds: dict[str, float | None]) -> list[str]:
    """Return each threshold with the names that have it.

    >>> grouped({"de": 50, "zh": 20, "en": 50, "ja": None})
    ['50 for de, en', '20 for zh', 'off for ja']
    """
    names: dict[float | None, list[str]] = {}
    for name, threshold in thresholds.items():
        names.setdefault(threshold, []).append(name)
    found = []
    for threshold, by in sorted(names.items(), key=lambda item: -len(item[1])):
        others = f" and {len(by) - NAMED} others" if len(by) > NAMED + 1 else ""
        listed = ", ".join(by[:NAMED] if others else by)
        found.append(f"{'off' if threshold is None else number(threshold)} for {listed}{others}")
    return found


def plots(work: FinishedRun, step: dict[str, Any]) -> list[dict]:
    """Return a histogram for each measure of a step's rules, with all their thresholds."""
    name, looks = step["name"], step["on"]
    by_measure: dict[str, list[str]] = {}
    for rule, look in looks.items():
        by_measure.setdefault(look.measure, []).append(rule)
    drawn = []
    for measure, rules in by_measure.items():
        if picture := _picture(work, name, {rule: looks[rule] for rule in rules}):
            conditions = sorted((looks[rule] for rule in rules), key=lambda look: look.threshold or 0)
            drawn.append({"measure": measure, "condition": ", ".join(map(str, conditions)), "picture": picture})
    return drawn


def measure_picture(work: FinishedRun, name: str, measure: str) -> tuple[str, Histogram | None]:
    """Return the conditions of a measure's rules and its histogram, None for a measure without numbers."""
    looks = {
        rule: look for rule, look in _looks(work, name, Counter({NO_PROFILE: 1})).items() if look.measure == measure
    }
    on = {rule: look for rule, look in looks.items() if look.threshold is not None}
    picture = _picture(work, name, on or {"": Looks(measure, "<", None, [])})
    return ", ".join(map(str, on.values())), picture


def _picture(work: FinishedRun, name: str, looks: dict[str, Looks]) -> Histogram | None:
    """Return the histogram of a measure, of all documents and of documents that violate its rules."""
    look = next(iter(looks.values()))
    folder = report_of(work.folder, name, look.folder)
    values = [_measured(work, folder, part, look.measure) for part in work.parts]
    kind = values[0].dtype if values else pl.Null
    if not kind.is_numeric():
        return None
    broken = [_broken(work, decisions_of(work.folder, name), part, list(looks)) for part in work.parts]
    every, violating = (pl.concat(columns).cast(pl.Float64).drop_nulls().to_numpy() for columns in (values, broken))
    cuts = {cut for look in looks.values() if (cut := look.cut(kind.is_integer())) is not None}
    drawn = histogram(every, violating, sorted(cuts), kind.is_integer())
    return drawn if drawn.bars else None


def _measured(work: FinishedRun, folder: UPath, part: str, measure: str) -> pl.Series:
    """Return a measure of a shard's documents; scores of a perplexity step have a file for each model."""
    if folder.name != SCORES:
        return work.shard(folder, part, [measure])[measure]
    for stage, begin in ((SAMPLE, SAMPLE), (SAMPLE, part), (SCORES, f"{part}.")):
        work.verify(folder.parent / stage, begin)
    return read_scores(folder.parent, part)[measure]


def _broken(work: FinishedRun, folder: UPath, part: str, rules: list[str]) -> pl.Series:
    """Return the values of a shard's documents that violate any of the rules."""
    broken = work.shard(folder, part, ["violations"])["violations"].explode(empty_as_null=False)
    values = broken.struct.unnest().filter(pl.col("rule").is_in(rules))["value"]
    return values.filter(values.is_finite())


def guessed(work: FinishedRun, ledger: LedgerSummary) -> list[dict[str, Any]]:
    """Return language, documents, kept and profile of each language on a guessed profile, the most documents first.

    The profile is that of a related language, or ``neutral``. Empty if no step uses language profiles.
    """
    filters = [step for step in work.recipe.steps.values() if isinstance(step, Filter) and step.use_profiles]
    if not any(step.NAME in profile for step in filters for profile in profiles().values()):
        return []
    own = {UNKNOWN, *profiles(), *own_profiles(work.recipe.steps)}
    rows = ledger.languages.select(LANGUAGE, "documents", "kept").to_dicts()
    found = [row | {"profile": shipped_profile(row[LANGUAGE])} for row in rows if row[LANGUAGE] not in own]
    return sorted(found, key=lambda row: (-row["documents"], row[LANGUAGE]))
