"""Share of documents that quality rules keep, by the number of their copies in the raw corpus.

FineWeb-2 (arXiv:2506.20920) samples documents by such a curve and calls it rehydration.
"""

from collections import Counter
from typing import Any

import polars as pl

from gristmill.flows.clean.plan import naming_steps
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.schema import ID


def kept_by_size(work: FinishedRun) -> list[dict[str, Any]]:
    """Return for each range of group sizes (1, 2, 3 to 4, 5 to 8, …) its documents, and how many pass all other steps.

    A group is a kept document and its copies. All documents that the first deduplication step saw count, each by its
    own text. The list is empty if no other step follows that one: then the rules have removed their documents before.
    Memory: a row per duplicate.
    """
    steps, naming = list(work.recipe.steps), naming_steps(work.recipe)
    first = steps.index(naming[0])
    others = [name for name in steps[first:] if name not in naming]
    if not others:
        return []
    copies = pl.concat([_seen(work, part, steps[:first], others).drop_nulls("group") for part in work.parts])
    neighbors = dict(copies.select(ID, "group").iter_rows())
    for _ in naming[1:]:  # each step may remove a document that the one before kept
        copies = copies.with_columns(pl.col("group").replace(neighbors))
    sizes = copies.group_by("group").agg(size=pl.len() + 1)
    documents, kept = _count(copies.join(sizes, on="group"))
    for part in work.parts:
        rows = _seen(work, part, steps[:first], others).filter(pl.col("group").is_null())
        more = _count(
            rows.join(sizes, left_on=ID, right_on="group", how="left").with_columns(pl.col("size").fill_null(1))
        )
        documents, kept = documents + more[0], kept + more[1]
    return [{"label": label(k), "documents": documents[k], "kept": kept[k]} for k in sorted(documents)]


def _seen(work: FinishedRun, part: str, before: list[str], others: list[str]) -> pl.DataFrame:
    """Return the documents of a shard that no step of ``before`` removed: id, group (of copies: neighbor), good.

    Good documents violate no rule of ``others``.
    """
    rows = work.ledger(part, [ID, "step", "violations", "duplicate_neighbor"])
    rows = rows.filter(pl.col("step").is_null() | ~pl.col("step").is_in(before))
    bad = pl.col("violations").list.eval(pl.element().struct.field("step").is_in(others)).list.any()
    group = pl.col("duplicate_neighbor").cast(pl.String)
    id = pl.col(ID).cast(pl.String)
    return rows.select(id, group=pl.when(group != id).then(group), good=~bad.fill_null(False))


def _count(members: pl.DataFrame) -> tuple[Counter[int], Counter[int]]:
    """Return the documents, and the good ones among them, by range of sizes: 0 for 1, k for 2^(k - 1) + 1 to 2^k."""
    documents: Counter[int] = Counter()
    good: Counter[int] = Counter()
    for size, n, n_good in (
        members.group_by("size").agg(pl.len(), pl.sum("good")).select("size", "len", "good").iter_rows()
    ):
        documents[(size - 1).bit_length()] += n
        good[(size - 1).bit_length()] += n_good
    return documents, good


def label(k: int) -> str:
    """Return the label of a range of sizes.

    >>> [label(k) for k in range(4)]
    ['1', '2', '3 to 4', '5 to 8']
    """
    begin, end = 2**k // 2 + 1, 2**k
    return f"{end:,}" if k < 2 else f"{begin:,} to {end:,}"
