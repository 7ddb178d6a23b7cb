"""Where two variants of the rule sets decide differently, by rule, with documents to look at."""

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
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ingest.ingest import read_documents
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.settings import nearest

SAMPLES = 3  # documents shown of each rule


@dataclass
class VariantSpec:
    """One of the two that are compared: a variant, and the words it counts."""

    variant: str
    words: str

    def __str__(self) -> str:
        return f"{self.variant}:{self.words}"


@dataclass
class VariantDifference:
    """Documents that one side removes, first by this rule, and the other keeps."""

    removed_by: str
    rule: str
    documents: int = 0
    samples: list[dict] = field(default_factory=list)  # id, and the value and threshold of each side


@dataclass
class Comparison:
    """What both sides say by one rule set."""

    rule_set: str
    documents: int = 0
    agree: int = 0  # kept by both or removed by both
    same_reason: int = 0  # and, if removed, first by the rule of the same name
    removed: dict[str, int] = field(default_factory=dict)
    differences: dict[tuple[str, str], VariantDifference] = field(default_factory=dict)


def parse_variants(variants: str, words: str) -> tuple[VariantSpec, VariantSpec]:
    """``A,B`` -> both; each may end in ``:spacy`` to name its own words."""
    found = []
    known = sorted({variant for of in VARIANTS.values() for variant in of})
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
    """Every rule set that both variants define, each alone over the documents as they were read."""
    both = [name for name, variants in VARIANTS.items() if one.variant in variants and other.variant in variants]
    if not both:
        raise RecipeError(f"no rule set has both variants {one.variant} and {other.variant}")
    comparisons = {name: Comparison(name, removed={str(one): 0, str(other): 0}) for name in both}
    for table in read_documents(list(paths), InputSettings(paths=list(paths))):
        text = Ragged.from_text(table[TEXT])
        batches = {words: Batch(text, splitter=words) for words in {one.words, other.words}}
        for name, comparison in comparisons.items():
            verdicts = [_judge(VARIANTS[name][side.variant](), batches[side.words]) for side in (one, other)]
            _count(comparison, (one, other), verdicts, table[ID])
    return list(comparisons.values())


def _judge(rule_set: Filter, batch: Batch) -> tuple[Filter, pl.DataFrame, pl.Series]:
    measures = rule_set.measure(batch)
    return rule_set, measures, decide(rule_set, measures, np.full(batch.text.rows, NO_PROFILE, object))


def _count(comparison: Comparison, both: tuple[VariantSpec, VariantSpec], verdicts: list, ids: pa.ChunkedArray) -> None:
    gone = [broken.list.len().to_numpy() > 0 for _, _, broken in verdicts]
    first = [broken.list.first().struct.field("rule").fill_null("").to_numpy() for _, _, broken in verdicts]
    comparison.documents += len(ids)
    comparison.agree += int((gone[0] == gone[1]).sum())
    comparison.same_reason += int((first[0] == first[1]).sum())
    for i, side in enumerate(both):
        comparison.removed[str(side)] += int(gone[i].sum())
        for row in np.flatnonzero(gone[i] & ~gone[1 - i]).tolist():
            rule = str(first[i][row])
            found = comparison.differences.setdefault((str(side), rule), VariantDifference(str(side), rule))
            found.documents += 1
            if len(found.samples) < SAMPLES:
                values = {str(s): value for s, value in zip(both, _values(verdicts, i, rule, row), strict=True)}
                found.samples.append({"id": ids[row].as_py(), **values})


def _values(verdicts: list, remover: int, rule: str, row: int) -> Iterator[dict | None]:
    """The measure that a rule of one side goes by, and its threshold, on either side; None where a side has none."""
    measure = verdicts[remover][0].rules()[rule].measure
    for rule_set, measures, _ in verdicts:
        rules = rule_set.rules()
        same = rules.get(rule) or next((r for r in rules.values() if r.measure == measure), None)
        if same is None:
            yield None
        else:
            yield {"value": float(measures[same.measure][row]), "breaks": same.breaks, "threshold": same.threshold}
