"""Comparison of two variants of the rule sets: documents they decide differently, by rule, with samples."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pyarrow as pa

from gristmill.filters.core.batch import SPLITTERS, Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.core.filter import Filter
from gristmill.filters.core.profiles import NO_PROFILE
from gristmill.filters.registry import VARIANTS
from gristmill.pipelines.errors import RecipeError, nearest
from gristmill.pipelines.ingest.ingest import read_documents
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT

SAMPLES = 3  # documents per rule


@dataclass
class VariantSpec:
    """A variant to compare, and the words it counts."""

    variant: str
    words: str

    def __str__(self) -> str:
        return f"{self.variant}:{self.words}"


@dataclass
class VariantDifference:
    """Documents that one variant removes, with this rule as the first, and the other keeps."""

    removed_by: str
    rule: str
    documents: int = 0
    samples: list[dict] = field(default_factory=list)  # id, and the value and threshold under each variant


@dataclass
class Comparison:
    """Decisions of both variants under one rule set."""

    rule_set: str
    documents: int = 0
    agree: int = 0  # kept by both or removed by both
    same_reason: int = 0  # of these: kept, or removed with the same first rule
    removed: dict[str, int] = field(default_factory=dict)
    differences: dict[tuple[str, str], VariantDifference] = field(default_factory=dict)


def parse_variants(variants: str, words: str) -> tuple[VariantSpec, VariantSpec]:
    """Parse ``A,B``; each may have its own words after a colon, ``A:spacy``. Raises RecipeError for unknown names."""
    found = []
    known = sorted({variant for variants_of_set in VARIANTS.values() for variant in variants_of_set})
    for part in variants.split(","):
        variant, _, own = part.strip().partition(":")
        side = VariantSpec(variant, own or words)
        if side.variant not in known:
            raise RecipeError(f"--variants: no variant {side.variant!r}; {nearest(side.variant, known)}")
        if side.words not in SPLITTERS:
            raise RecipeError(f"--variants: no words {side.words!r}; {nearest(side.words, sorted(SPLITTERS))}")
        found.append(side)
    if len(found) != 2 or found[0] == found[1]:
        raise RecipeError(f"--variants: expected two that differ, A,B or A:unicode,A:spacy; found {variants!r}")
    return found[0], found[1]


def compare_rules(one: VariantSpec, other: VariantSpec, paths: tuple[str, ...]) -> list[Comparison]:
    """Compare every rule set that both variants define, each alone over the original documents."""
    both = [name for name, variants in VARIANTS.items() if one.variant in variants and other.variant in variants]
    if not both:
        raise RecipeError(f"no rule set has both variants {one.variant} and {other.variant}")
    comparisons = {name: Comparison(name, removed={str(one): 0, str(other): 0}) for name in both}
    for table in read_documents(list(paths), InputSettings(paths=list(paths))):
        text = Ragged.from_text(table[TEXT])
        batches = {words: Batch(text, splitter=words) for words in {one.words, other.words}}
        for name, comparison in comparisons.items():
            results = [_decide(VARIANTS[name][side.variant](), batches[side.words]) for side in (one, other)]
            _count(comparison, (one, other), results, table[ID])
    return list(comparisons.values())


def _decide(rule_set: Filter, batch: Batch) -> tuple[Filter, pl.DataFrame, pl.Series]:
    measures = rule_set.measure(batch)
    return rule_set, measures, decide(rule_set, measures, np.full(batch.text.rows, NO_PROFILE, object))


def _count(comparison: Comparison, both: tuple[VariantSpec, VariantSpec], results: list, ids: pa.ChunkedArray) -> None:
    dropped = [broken.list.len().to_numpy() > 0 for _, _, broken in results]
    first = [broken.list.first().struct.field("rule").fill_null("").to_numpy() for _, _, broken in results]
    comparison.documents += len(ids)
    comparison.agree += int((dropped[0] == dropped[1]).sum())
    comparison.same_reason += int((first[0] == first[1]).sum())
    for i, side in enumerate(both):
        comparison.removed[str(side)] += int(dropped[i].sum())
        for row in np.flatnonzero(dropped[i] & ~dropped[1 - i]).tolist():
            rule = str(first[i][row])
            found = comparison.differences.setdefault((str(side), rule), VariantDifference(str(side), rule))
            found.documents += 1
            if len(found.samples) < SAMPLES:
                values = {str(s): value for s, value in zip(both, _values(results, rule, row), strict=True)}
                found.samples.append({"id": ids[row].as_py(), **values})


def _values(results: list, rule: str, row: int) -> Iterator[dict | None]:
    """Yield the value and the threshold of ``rule`` under each variant; None if a variant does not have the rule."""
    for rule_set, measures, _ in results:
        if found := rule_set.rules().get(rule):
            yield {"value": float(measures[found.measure][row]), "breaks": found.breaks, "threshold": found.threshold}
        else:
            yield None
