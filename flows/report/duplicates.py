"""Documents that are alike: groups by size, which sources share them, and a few pairs word by word."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import polars as pl

from gristmill.dedup.exact.exact import Exact
from gristmill.dedup.near.near_duplicates import NearDuplicates
from gristmill.flows.clean.plan import report_of
from gristmill.flows.escape import TERMINAL
from gristmill.flows.report.samples import BYTES, first_words, read_texts
from gristmill.flows.runs.clusters import word_diff
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.schema import ID, SOURCE

SIZES = (2, 3, 4, 5, 10, 20, 50, 100, 1000)  # of groups: where a row of the table begins
LARGEST, PAIRS, TRIED = 10, 8, 4  # groups and pairs to show; for each pair so many are looked at
DIFFERENT, AROUND = 30, 10  # pieces of a pair that differ, words shown before and behind each
WORDS = 1200  # of a text that are compared
NEARLY = 0.95  # of the bytes that are read of a text: more than that may be its beginning only
SOURCES = 12  # in the matrix: those with the most bytes
SHADES = 10
FOLD = "…"  # the sign of what is not shown
MEMBER = {ID: pl.String, "group": pl.String, "similarity": pl.Float64, "containment": pl.Float64}


def duplicates(work: FinishedRun, sources: pl.DataFrame) -> dict[str, Any] | None:
    """Groups of alike documents; None where the run has no such step. Memory: the documents that are alike."""
    names = {step.NAME: name for name, step in work.recipe.steps.items()}
    if not names.keys() & {Exact.NAME, NearDuplicates.NAME}:
        return None
    members = _members(work, names)
    groups = members.group_by("group").agg(pl.len().cast(pl.Int64).alias("size"))
    members = members.join(groups, on="group")
    return {
        "groups": groups.height,
        "documents": members.height,
        "removed": members.filter(pl.col("duplicate_of").is_not_null()).height,
        "sizes": _sizes(groups["size"]),
        "matrix": _matrix(members, sources),
        "largest": _largest(work, members),
        "pairs": _pairs(work, members),
    }


def _members(work: FinishedRun, names: dict[str, str]) -> pl.DataFrame:
    """Documents of near clusters and exact copies with their place and original, by the group that both make."""
    clusters = work.whole(report_of(work.folder, names.get(NearDuplicates.NAME, ""), "clusters"))
    near = pl.DataFrame(schema=MEMBER)
    if clusters is not None:
        near = clusters.select(ID, pl.col("cluster").alias("group"), "similarity", "containment").cast(MEMBER)
    known = [near[ID]]
    for part in work.parts:
        copies = work.ledger(part, [ID, "duplicate_of"]).drop_nulls("duplicate_of")
        known += [copies[ID].cast(pl.String), copies["duplicate_of"].cast(pl.String)]
    alike = pl.concat(known).unique().implode()
    columns = [ID, SOURCE, "bytes", "duplicate_of", "similarity"]
    frames = []
    for part in work.parts:
        rows = work.ledger(part, columns).with_row_index("row").filter(pl.col(ID).is_in(alike))
        frames.append(rows.with_columns(pl.lit(part).alias("part")))
    found = pl.concat(frames)
    found = found.join(near.select(ID, "group", "containment"), on=ID, how="left")
    found = found.join(near.select(pl.col(ID).alias("duplicate_of"), of_group="group"), on="duplicate_of", how="left")
    group = pl.coalesce("group", "of_group", "duplicate_of", ID)
    return found.with_columns(group=group).drop("of_group").sort("group", ID)


def _sizes(sizes: pl.Series) -> list[dict]:
    """How many groups and documents there are by size of the group."""
    rows, ends = [], [*SIZES[1:], None]
    for begin, end in zip(SIZES, ends, strict=True):
        mine = sizes.filter((sizes >= begin) & (sizes < end if end else True))
        label = f"{begin:,} and more" if end is None else str(begin) if end == begin + 1 else f"{begin} to {end - 1}"
        rows.append({"label": label, "groups": len(mine), "documents": int(mine.sum())})
    return [row for row in rows if row["groups"]]


def _matrix(members: pl.DataFrame, sources: pl.DataFrame) -> dict | None:
    """What share of a source's bytes lies in documents that a source (or it, a second time) has too."""
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
    """The largest groups by one of their documents."""
    first = members.group_by("group").agg(pl.all().sort_by(pl.col("duplicate_of").is_not_null(), ID).first())
    first = first.sort("size", "group", descending=[True, False]).head(LARGEST)
    texts = read_texts(work.folder / "documents", first.select("part", "row"))
    rows = zip(first.iter_rows(named=True), texts, strict=True)
    return [row | {"begins": first_words(text)} for row, (text, _) in rows]


def _pairs(work: FinishedRun, members: pl.DataFrame) -> list[dict]:
    """Near copies with their originals: of the largest groups the one least like, where its beginning shows it."""
    copies = members.filter(pl.col("similarity") < 1).sort("similarity", ID)
    copies = copies.group_by("group", maintain_order=True).first()
    copies = copies.sort("size", "similarity", "group", descending=[True, False, False]).head(TRIED * PAIRS)
    places = members.select(pl.col(ID).alias("duplicate_of"), pl.col("part").alias("of_part"), of_row="row")
    copies = copies.join(places, on="duplicate_of", how="inner", maintain_order="left")
    old = read_texts(work.folder / "documents", copies.select(part="of_part", row="of_row"))
    new = read_texts(work.folder / "documents", copies.select("part", "row"))
    rows = zip(copies.iter_rows(named=True), old, new, strict=True)
    pairs = (row | {"pieces": list(_folded(before, after))} for row, (before, _), (after, _) in rows)
    return list(islice((pair for pair in pairs if any(sign in "-+" for sign, _ in pair["pieces"])), PAIRS))


def _folded(old: str, new: str) -> Iterator[tuple[str, str]]:
    """The pieces of a diff, those that are alike folded to their ends; no more than DIFFERENT others.

    White space is not compared, as it is not when copies are looked for.
    """
    before, after = (text.split()[:WORDS] for text in (old, new))
    pieces = list(word_diff(" ".join(before), " ".join(after)))
    cut = WORDS in (len(before), len(after)) or max(len(old.encode()), len(new.encode())) > NEARLY * BYTES
    if cut:  # the ends differ because they are cut at different places
        while pieces and pieces[-1][0] != " ":
            pieces.pop()
    different = [place for place, (sign, _) in enumerate(pieces) if sign != " "][DIFFERENT:]
    for sign, piece in pieces[: different[0] if different else None]:
        words = piece.split(" ")
        if sign == " " and len(words) > 2 * AROUND:
            yield " ", " ".join(words[:AROUND]).translate(TERMINAL)
            yield FOLD, f" {len(words) - 2 * AROUND} words alike "
            yield " ", " ".join(words[-AROUND:]).translate(TERMINAL)
        else:
            yield sign, piece.translate(TERMINAL)
    if cut or different:
        yield FOLD, " the rest is not compared "
