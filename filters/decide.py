"""Decide: numbers to reasons. Every broken rule is kept, with its value and its threshold."""

import operator

import numpy as np
import polars as pl
from upath import UPath

from filters.filter import Filter
from filters.measure import LANGUAGE, SURE_LABEL
from filters.profiles import NO_PROFILE, profile_of
from pipelines.decisions import write_decisions
from pipelines.schema import ID
from pipelines.shards import read_shard
from pipelines.step import Wrote

BREAKS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def decide(rule_set: Filter, measures: pl.DataFrame, profile: np.ndarray) -> pl.Series:
    """Measures, one row a document, and each document's profile (object[n]) -> list of broken rules, empty to stay.

    Thresholds are those of the document's profile; a rule without a threshold there is off.
    """
    names = sorted(set(profile))
    by_profile = {name: rule_set.for_profile(name).rules() for name in names}
    frame = measures.with_columns(pl.Series("profile", profile, pl.String))
    broken = []
    for name, rule in rule_set.rules().items():
        thresholds = {p: rules[name].threshold for p, rules in by_profile.items()}
        threshold = pl.col("profile").replace_strict(thresholds, return_dtype=pl.Float64)
        if rule.thresholds:
            threshold = pl.col(rule.by).replace_strict(rule.thresholds, default=threshold, return_dtype=pl.Float64)
        value = pl.col(rule.measure).cast(pl.Float64)
        fields = [pl.lit(name).alias("rule"), value.alias("value"), threshold.alias("threshold")]
        broken.append(pl.when(BREAKS[rule.breaks](value, threshold)).then(pl.struct(fields)))
    if not broken:
        return pl.Series("broken", [[]] * len(frame), pl.List(BROKEN_DTYPE))
    return frame.select(pl.concat_list(broken).list.drop_nulls().alias("broken")).to_series()


def decide_shard(chain: dict[str, Filter], shard: UPath, measures: dict[str, UPath], outputs) -> list[Wrote]:
    """Decide for one shard of documents what each filter of the chain asked for (an output's key) would remove."""
    ids = read_shard(shard, [ID])[ID]
    profile = np.full(len(ids), NO_PROFILE, object)
    if LANGUAGE in measures:
        profile = profile_of(read_shard(measures[LANGUAGE], [SURE_LABEL])[SURE_LABEL].to_numpy())
    results = []
    for output in outputs:
        rule_set, frame = chain[output.key], pl.from_arrow(read_shard(measures[output.key]))
        broken = decide(rule_set, frame, profile)
        results.append(Wrote([output.path.name], write_decisions(output.path, ids, broken)))
    return results


BROKEN_DTYPE = pl.Struct({"rule": pl.String, "value": pl.Float64, "threshold": pl.Float64})
