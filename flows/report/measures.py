"""Rules, what they took, and how the measures they look at are spread."""

from collections import Counter
from typing import Any

import polars as pl
from upath import UPath

from dedup.documents import NearDuplicates
from dedup.step import CorpusStep
from filters.filter import Filter, Rule
from filters.measure import LANGUAGE
from filters.profiles import NO_PROFILE, profile_of
from flows.own_perplexity import OwnPerplexity
from flows.plan import decisions_of, measures_of, report_of
from flows.report.ledger import Told
from flows.report.pictures import histogram
from flows.report.work import Work

# Steps over the corpus that leave a value of many documents: the report and column it is in, its rule, its setting.
SCORED = {
    NearDuplicates.NAME: ("clusters", "similarity", "near_duplicate", ">=", "threshold"),
    OwnPerplexity.NAME: ("scores", "gain", "no_gain", "<", "min_gain"),
}


def steps(work: Work, told: Told) -> list[dict[str, Any]]:
    """Every step with its rules: thresholds, what they took, a histogram of what they look at."""
    profiles = _profiles(told)
    return [_step(work, name, told, profiles) for name in work.recipe.steps]


def _profiles(told: Told) -> Counter:
    """How many documents each language profile judges."""
    if told.languages.is_empty():
        return Counter({NO_PROFILE: 1})
    counts = Counter()
    names = profile_of(told.languages[LANGUAGE].to_numpy())
    for name, documents in zip(names, told.languages["documents"], strict=True):
        counts[name] += documents
    return counts


def _step(work: Work, name: str, told: Told, profiles: Counter) -> dict[str, Any]:
    step, counts = work.recipe.steps[name], work.summary["steps"][name]
    looked_at = _looked_at(step, profiles)
    rules = []
    for rule in sorted(looked_at.keys() | counts["rules"], key=lambda rule: _rank(rule, counts["rules"])):
        found = counts["rules"].get(rule, {"removed": 0, "broken": 0})
        rules.append({"rule": rule, **found, "alone": told.alone.get((name, rule), 0), **looked_at.get(rule, {})})
    for rule in rules:
        if rule.get("at"):
            rule["picture"] = _picture(work, name, rule)
    about = (type(step).__doc__ or "").partition("\n")[0]
    off = [rule["rule"] for rule in rules if "threshold" in rule and rule["threshold"] is None]
    rules = [rule for rule in rules if rule["rule"] not in off]
    return {"name": name, "about": about, "off": off, **counts, "rules": rules}


def _rank(rule: str, counts: dict) -> tuple:
    return -counts.get(rule, {"broken": -1})["broken"], rule


def _looked_at(step: Filter | CorpusStep, profiles: Counter) -> dict[str, dict]:
    """Rule -> the measure, the threshold most documents have, others by profile, and where its values lie."""
    if isinstance(step, Filter):
        by_profile = {profile: step.for_profile(profile).rules() for profile in profiles}
        return {name: _filter_rule(name, rule, by_profile, profiles) for name, rule in step.rules().items()}
    if step.NAME in SCORED:
        report, column, rule, breaks, setting = SCORED[step.NAME]
        threshold = getattr(step, setting)
        return {rule: {"measure": column, "breaks": breaks, "threshold": threshold, "at": report, "others": []}}
    return {}


def _filter_rule(name: str, rule: Rule, by_profile: dict[str, dict[str, Rule]], profiles: Counter) -> dict:
    thresholds = Counter()
    for profile, documents in profiles.items():
        thresholds[by_profile[profile][name].threshold] += documents
    ((most, _),) = thresholds.most_common(1)
    others = {
        profile: rules[name].threshold for profile, rules in sorted(by_profile.items()) if rules[name].threshold != most
    }
    others |= rule.thresholds
    told = [f"{profile} {'off' if value is None else f'{value:g}'}" for profile, value in others.items()]
    where = "measures" if most is not None or others else None
    return {"measure": rule.measure, "breaks": rule.breaks, "threshold": most, "at": where, "others": told}


def _picture(work: Work, name: str, rule: dict):
    """A histogram of all documents' values, and of those that break the rule as they were decided."""
    folder = measures_of(work.folder, name) if rule["at"] == "measures" else report_of(work.folder, name, rule["at"])
    values = [work.shard(folder, part, [rule["measure"]])[rule["measure"]] for part in work.parts]
    broken = [_broken(work, decisions_of(work.folder, name), part, rule["rule"]) for part in work.parts]
    kind = values[0].dtype if values else pl.Float64
    if not (kind.is_numeric() or kind == pl.Boolean):
        return None
    numbers = [pl.concat(columns).cast(pl.Float64).drop_nulls().to_numpy() for columns in (values, broken)]
    return histogram(*numbers, rule["threshold"], kind.is_integer() or kind == pl.Boolean)


def _broken(work: Work, folder: UPath, part: str, rule: str) -> pl.Series:
    """The values by which documents of a shard break the rule."""
    broken = work.shard(folder, part, ["broken"])["broken"].explode(empty_as_null=False)
    values = broken.struct.unnest().filter(pl.col("rule") == rule)["value"]
    return values.filter(values.is_finite()).cast(pl.Float64) if len(values) else pl.Series([], dtype=pl.Float64)
