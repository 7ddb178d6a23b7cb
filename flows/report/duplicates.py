"""Duplicates of a run: groups by size, sources that share them, and a few pairs word by word."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import polars as pl

from gristmill.dedup.exact.exact import Exact
from gristmill.dedup.near.near_duplicates import NearDuplicates
from gristmill.flows.clean.plan import report_of
from gristmill.flows.escape import TERMINAL
from gristmill.flows.report.kept_by_size import kept_by_size
from gristmill.flows.report.samples import BYTES, first_words, read_texts
from gristmill.flows.runs.clusters import word_diff
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.schema import ID, SOURCE

SIZES = (2, 3, 4, 5, 10, 20, 50, 100, 1000)  # of groups: where each row of the table begins
LARGEST, PAIRS, TRIED = 10, 8, 4  # groups and pairs to show; candidates for each pair
DIFFERENT, CONTEXT = 30, 10  # differences of a pair to show; words before and after each
WORDS = 1200  # of a text to compare
NEARLY = 0.95  # of the bytes that are read: a longer text may be incomplete
SOURCES = 12  # with the most bytes, in the matrix
SHADES = 10
FOLD = "…"  # the sign of omitted text
MEMBER: Any = {ID: pl.String, "group": pl.String, "similarity": pl.Float64, "containment": pl.Float64}


def duplicates(work: FinishedRun, sources: pl.DataFrame) -> dict[str, Any] | None:
    """Return the groups of duplicates, or None without a deduplication step. Memory: a row per duplicate."""
    names = {step.NAME: name for name, step in work.recipe.steps.items()}
    if not names.keys() & {Exact.NAME, NearDuplicates.NAME}:
        return None
    members = _members(work, names)
    groups = members.group_by("group").agg(pl.len().cast(pl.Int64).alias("size"))
    members = members.join(groups, on="group")
    return {
        "groups": groups.height,
        "documents": members.height,
        "removed": members.filter(pl.col("duplicate_neighbor").is_not_null()).height,
        "sizes": _sizes(groups["size"]),
        "kept_by_size": kept_by_size(work),
        "matrix": _matrix(members, sources),
        "largest": _largest(work, members),
        "pairs": _pairs(work, members),
    }


def _members(work: FinishedRun, names: dict[str, str]) -> pl.DataFrame:
    """Return near and exact duplicates with their place and original, by the group that both kinds form."""
    clusters = work.whole(report_of(work.folder, names.get(NearDuplicates.NAME, ""), "clusters"))
    near = pl.DataFrame(schema=MEMBER)
    if clusters is not None:
        near = clusters.select(ID, pl.col("cluster").alias("group"), "similarity", "containment").cast(MEMBER)
    known = [near[ID]]
    for part in work.parts:
        copies = work.ledger(part, [ID, "duplicate_neighbor"]).drop_nulls("duplicate_neighbor")
        known += [copies[ID].cast(pl.String), copies["duplicate_neighbor"].cast(pl.String)]
    alike = pl.concat(known).unique().implode()
    columns = [ID, SOURCE, "bytes", "duplicate_neighbor", "similarity"]
    frames = []
    for part in work.parts:
        rows = work.ledger(part, columns).with_row_index("row").filter(pl.col(ID).is_in(alike))
        frames.append(rows.with_columns(pl.lit(part).alias("part")))
    found = pl.concat(frames)
    found = found.join(near.select(ID, "group", "containment"), on=ID, how="left")
    found = found.join(
        near.select(pl.col(ID).alias("duplicate_neighbor"), of_group="group"), on="duplicate_neighbor", how="left"
    )
    group = pl.coalesce("group", "of_group", "duplicate_neighbor", ID)
    return found.with_columns(group=group).drop("of_group").sort("group", ID)


def _sizes(sizes: pl.Series) -> list[dict]:
    """Return the number of groups and of their documents, by size of the group."""
    rows, ends = [], [*SIZES[1:], None]
    for begin, end in zip(SIZES, ends, strict=True):
        mine = sizes.filter((sizes >= begin) & (sizes < end if end else True))
        label = f"{begin:,} and more" if end is None else str(begin) if end == begin + 1 else f"{begin} to {end - 1}"
        rows.append({"label": label, "groups": len(mine), "documents": int(mine.sum())})
    return [row for row in rows if row["groups"]]


def _matrix(members: pl.DataFrame, sources: pl.DataFrame) -> dict | None:
    """Return the share of each source's bytes in documents with a copy in each source (or a second one in its own)."""
    names = sources[SOURCE].head(SOURCES).to_list()
    if len(names) < 2:
        return None
    others = members.group_by("group", SOURCE).agg(pl.len().alias("n")).rename({SOURCE: "other"})
    pairs = members.join(others, on="group").filter((pl.col(SOURCE) != pl.col("other")) | (pl.col("n") > 1))
    shared = pairs.group_by(SOURCE, "other").agg(pl.sum("bytes").alias("shared"), pl.len().alias("documents"))
    found = {(a, b): (size, documents) for a, b, size, documents in shared.iter_rows()}
    whole = dict(sources.select(SOURCE, "bytes").iter_rows())
    rows = []
    for source in names:
        cells = []
        for other in names:
            size, documents = found.get((source, other), (0, 0))
            share = size / max(whole[source], 1)
            cells.append({"share": share, "documents": documents, "shade": round(SHADES * min(1, share) ** 0.5)})
        rows.append({"source": source, "cells": cells})
    return {"names": names, "rows": rows}


def _largest(work: FinishedRun, members: pl.DataFrame) -> list[dict]:
    """Return the largest groups, each with one of its documents."""
    first = members.group_by("group").agg(pl.all().sort_by(pl.col("duplicate_neighbor").is_not_null(), ID).first())
    first = first.sort("size", "group", descending=[True, False]).head(LARGEST)
    texts = read_texts(work.folder / "documents", first.select("part", "row"))
    rows = zip(first.iter_rows(named=True), texts, strict=True)
    return [row | {"begins": first_words(text)} for row, (text, _) in rows]


def _pairs(work: FinishedRun, members: pl.DataFrame) -> list[dict]:
    """Return near copies with their originals: from the largest groups the least similar with a visible difference."""
    copies = members.filter(pl.col("similarity") < 1, pl.col("duplicate_neighbor") != pl.col(ID))
    copies = copies.sort("similarity", ID)
    copies = copies.group_by("group", maintain_order=True).first()
    copies = copies.sort("size", "similarity", "group", descending=[True, False, False]).head(TRIED * PAIRS)
    places = members.select(pl.col(ID).alias("duplicate_neighbor"), pl.col("part").alias("of_part"), of_row="row")
    copies = copies.join(places, on="duplicate_neighbor", how="inner", maintain_order="left")
    old = read_texts(work.folder / "documents", copies.select(part="of_part", row="of_row"))
    new = read_texts(work.folder / "documents", copies.select("part", "row"))
    rows = zip(copies.iter_rows(named=True), old, new, strict=True)
    pairs = (row | {"pieces": list(_folded(before, after))} for row, (before, _), (after, _) in rows)
    return list(islice((pair for pair in pairs if any(sign in "-+" for sign, _ in pair["pieces"])), PAIRS))


def _folded(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Yield the pieces of a diff: up to DIFFERENT differences, and the ends of equal pieces between them.

    White space is ignored, as in the search for duplicates.
    """
    before, after = (text.split()[:WORDS] for text in (old, new))
    pieces = list(word_diff(" ".join(before), " ".join(after)))
    cut = WORDS in (len(before), len(after)) or max(len(old.encode()), len(new.encode())) > NEARLY * BYTES
    if cut:  # the ends may differ only because the texts were cut
        while pieces and pieces[-1][0] != " ":
            pieces.pop()
    different = [place for place, (sign, _) in enumerate(pieces) if sign != " "][DIFFERENT:]
    for sign, piece in pieces[: different[0] if different else None]:
        words = piece.split(" ")
        if sign == " " and len(words) > 2 * CONTEXT:
            yield " ", " ".join(words[:CONTEXT]).translate(TERMINAL)
            yield FOLD, f" {len(words) - 2 * CONTEXT} equal words "
            yield " ", " ".join(words[-CONTEXT:]).translate(TERMINAL)
        else:
            yield sign, piece.translate(TERMINAL)
    if cut or different:
        yield FOLD, " the rest was not compared "
