"""Counting what removed what: by step, and by rule within it."""

from collections import Counter

import numpy as np
import polars as pl


class RemovalCounts:
    """Adds up decisions, shard by shard, steps in the recipe's order within each document's life."""

    def __init__(self, steps: list[str]):
        self.removed = {name: Counter() for name in steps}  # rule -> documents it was the first reason for
        self.broken = {name: Counter() for name in steps}  # rule -> documents that broke it, removed before or not
        self.bytes = Counter()  # step -> bytes of the documents it removed

    def add(self, step: str, broken: pl.Series, stays: np.ndarray, bytes: np.ndarray) -> np.ndarray:
        """Count one step's decisions (lists of broken rules) over one shard, where ``stays`` says which documents the
        steps before it left; returns which ones this step leaves."""
        rules = broken.explode(empty_as_null=False).struct.field("rule")
        self.broken[step].update(dict(rules.value_counts().iter_rows()))
        removed = stays & (broken.list.len() > 0).to_numpy()
        first = broken.filter(pl.Series(removed)).list.first().struct.field("rule")
        self.removed[step].update(dict(first.value_counts().iter_rows()))
        self.bytes[step] += int(bytes[removed].sum())
        return stays & ~removed

    def table(self) -> dict[str, dict]:
        """Step -> {removed, bytes_removed, rules: {rule: {removed, broken}}}, the rules broken most first."""
        return {
            step: {
                "removed": self.removed[step].total(),
                "bytes_removed": self.bytes[step],
                "rules": {
                    rule: {"removed": self.removed[step][rule], "broken": count}
                    for rule, count in sorted(broken.items(), key=lambda item: (-item[1], item[0]))
                },
            }
            for step, broken in self.broken.items()
        }
