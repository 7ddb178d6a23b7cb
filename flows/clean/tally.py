"""Counts of removed documents, by step and by rule."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import polars as pl


class RemovalCounts:
    """Sums of decisions over all shards; for each shard the steps are added in the recipe's order."""

    def __init__(self, steps: list[str]):
        self.removed: dict[str, Counter[str]] = {name: Counter() for name in steps}  # rule -> first violations
        self.violations: dict[str, Counter[str]] = {name: Counter() for name in steps}  # rule -> all
        self.bytes: Counter[str] = Counter()  # step -> bytes of the documents that it removed

    def add(self, step: str, violations: pl.Series, kept: np.ndarray, bytes: np.ndarray) -> np.ndarray:
        """Count one step's decisions on one shard; return bool[n], the documents that are still kept.

        ``violations`` has a list per document, ``kept`` (bool[n]) marks the documents that the steps before it kept,
        ``bytes`` holds their sizes.
        """
        rules = violations.explode(empty_as_null=False).struct.field("rule")
        self.violations[step].update(dict(rules.value_counts().iter_rows()))
        removed = kept & (violations.list.len() > 0).to_numpy()
        first = violations.filter(pl.Series(removed)).list.first().struct.field("rule")
        self.removed[step].update(dict(first.value_counts().iter_rows()))
        self.bytes[step] += int(bytes[removed].sum())
        return kept & ~removed

    def add_ledger(self, ledger: pl.DataFrame) -> None:
        """Count the decisions of all steps on one shard, from columns of its ledger: see LEDGER in apply.py."""
        for step, rule, count in _count(ledger["violations"].explode(empty_as_null=False).struct.unnest()):
            self.violations[step][rule] += count
        removed = ledger.filter(~pl.col("kept"))
        for step, rule, count in _count(removed):
            self.removed[step][rule] += count
        self.bytes.update(dict(removed.group_by("step").agg(pl.sum("bytes")).iter_rows()))

    def table(self) -> dict[str, dict]:
        """Return step -> {removed, bytes_removed, rules: {rule: {removed, violations}}}, most violated rules first."""
        return {
            step: {
                "removed": self.removed[step].total(),
                "bytes_removed": self.bytes[step],
                "rules": {
                    rule: {"removed": self.removed[step][rule], "violations": count}
                    for rule, count in sorted(violated.items(), key=lambda item: (-item[1], item[0]))
                },
            }
            for step, violated in self.violations.items()
        }


def _count(rows: pl.DataFrame) -> Iterator[tuple[str, str, int]]:
    return rows.group_by("step", "rule").len().iter_rows()
