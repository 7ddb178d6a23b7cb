"""Decisions from measures: every broken rule is recorded, with its value and its threshold."""

import operator
from typing import Any

import numpy as np
import polars as pl

from gristmill.filters.core.faults import FAILED
from gristmill.filters.core.filter import LANGUAGE, Filter, Rule
from gristmill.pipelines.schema import DOCUMENTS, ID, MEASURES
from gristmill.pipelines.steps.decisions import violation_lists, write_decisions
from gristmill.pipelines.steps.step import Output, Written, input_of, inputs_of
from gristmill.pipelines.storage.shards import read_shard

BREAKS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def decide(rule_set: Filter, measures: pl.DataFrame, profile: np.ndarray) -> pl.Series:
    """Return the broken rules of each document, a list per row; a document with an empty list is kept.

    ``measures`` has one row per document, ``profile`` (object[n]) its language profile, which sets the thresholds.
    """
    names, codes = np.unique(profile.astype(str), return_inverse=True)
    by_profile = [rule_set.for_profile(name).rules() for name in names]
    found = []
    if FAILED in measures.columns:
        rows = np.flatnonzero(measures[FAILED].to_numpy())
        found.append((FAILED, rows, np.ones(rows.size), 0.0))
    for name, rule in rule_set.rules().items():
        by = measures[rule.by] if rule.by and rule.thresholds else None
        threshold = thresholds(name, rule, by_profile, codes, by)
        value = measures[rule.measure].cast(pl.Float64).to_numpy()
        rows = np.flatnonzero(breaks(rule, value, threshold))
        found.append((name, rows, value[rows], threshold[rows]))
    return violation_lists(len(measures), found)


def thresholds(name: str, rule: Rule, by_profile: list[dict[str, Rule]], profile: np.ndarray, by: pl.Series | None):
    """Return each document's threshold under one rule, float64[n]; NaN if the rule is off.

    ``by_profile[profile[i]]`` are the rules of document i's profile. ``by`` is the column whose values may have
    thresholds of their own, which take precedence; None if the rule has no such thresholds.
    """
    threshold = np.array([_number(rules[name].threshold) for rules in by_profile])[profile]
    if by is None:
        return threshold
    own = by.replace_strict(rule.thresholds, default=None, return_dtype=pl.Float64).to_numpy()
    return np.where(np.isnan(own), threshold, own)


def breaks(rule: Rule, value: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Mark the documents that break the rule; none breaks a threshold of NaN."""
    return BREAKS[rule.breaks](value, threshold)


def _number(threshold: float | None) -> float:
    return np.nan if threshold is None else threshold


def decide_shard(steps: dict[str, Any], outputs: tuple[Output, ...]) -> list[Written]:
    """Write the decisions of one shard of documents, for the filter of each output.

    ``steps`` are those of the recipe. At most one of them gives the language: all outputs of a job use the same.
    """
    measures = inputs_of(outputs, MEASURES)
    ids = read_shard(input_of(outputs, DOCUMENTS).path, [ID])[ID]
    language = None
    for name, labels in inputs_of(outputs, LANGUAGE).items():
        column = steps[name].PROVIDES[LANGUAGE]
        language = read_shard(labels.path, [column])[column].to_numpy()
    results = []
    for output in outputs:
        frame = pl.DataFrame(read_shard(measures[output.step].path))
        broken = decide(steps[output.step], frame, steps[output.step].profile_of(language, len(ids)))
        results.append(Written([output.path.name], write_decisions(output.path, ids, broken)))
    return results
