"""Clusters of duplicate documents, and differences between them word by word."""

import difflib
import re
from collections.abc import Iterator
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from gristmill.flows.clean.plan import report_of
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.storage.manifest import Manifest, require_finished
from gristmill.pipelines.storage.shards import list_shards, read_batches, read_shard

MAX_WORDS = 20_000  # compared of a text: difflib takes quadratic time if all words differ
LINK: dict = {"duplicate_of": pl.String, "duplicate_neighbor": pl.String, "similarity": pl.Float64}
WORDS = re.compile(r"\s*\S+")


class Member(NamedTuple):
    """Document of a cluster."""

    id: str
    duplicate_of: str | None  # the kept document that stands for it, if there is one
    duplicate_neighbor: str | None  # None: it is kept, or was dropped for another reason
    similarity: float | None  # to its neighbor
    containment: float | None  # share of its shingles that are in its neighbor
    text: str


def find_cluster(work: UPath, step: str, id: str) -> list[Member]:
    """Return the documents in one cluster with ``id`` and their exact copies, kept ones first, with original texts.

    Raises WorkError if the work folder is unfinished or the document has no duplicate.
    """
    require_finished(work / "ledger", "`gristmill dedup CORPUS --output WORK` makes it")
    near = _reported(work, step)
    (own,) = _ledger(work, pl.col(ID) == id)["duplicate_neighbor"].to_list() or [None]
    clusters = near.filter(pl.col(ID).is_in([id, own]))["cluster"]
    alike = {id, own, *near.filter(pl.col("cluster").is_in(clusters.implode()))[ID]} - {None}
    found = _ledger(work, pl.col(ID).is_in(alike) | pl.col("duplicate_neighbor").is_in(alike))
    if found.height < 2 and found["duplicate_neighbor"].drop_nulls().is_empty():
        raise WorkError(f"{id!r} has no duplicate in {work}; `gristmill why {work} ID` explains one document")
    found = found.join(near.select(ID, "containment"), on=ID, how="left")
    containment = pl.when(pl.col("similarity") == 1).then(1.0).otherwise(pl.col("containment"))
    found = found.with_columns(containment=containment).sort(pl.col("duplicate_neighbor").is_not_null(), ID)
    texts: dict[str, str] = {}
    for part, ids in found.group_by("part"):
        texts |= _texts(work / "documents" / f"{part[0]}.parquet", set(ids[ID]))
    rows = found.select(ID, *LINK, "containment").iter_rows(named=True)
    return [Member(**row, text=texts[row[ID]]) for row in rows]


def _reported(work: UPath, step: str) -> pl.DataFrame:
    """Return id, cluster and containment of all documents in clusters; no rows if the step did not run."""
    folder = report_of(work, step, "clusters")
    shards = list_shards(folder) if Manifest.read(folder) else []
    frames = [pl.DataFrame(read_shard(path, [ID, "cluster", "containment"])) for path in shards]
    schema = pl.Schema({ID: pl.String, "cluster": pl.String, "containment": pl.Float64})
    return pl.concat([pl.DataFrame(schema=schema), *(frame.cast(schema) for frame in frames)])


def _ledger(work: UPath, which: pl.Expr) -> pl.DataFrame:
    """Return part, id and LINK of the documents that ``which`` selects."""
    schema = pl.Schema({"part": pl.String, ID: pl.String, **LINK})
    frames = [pl.DataFrame(schema=schema)]
    for path in list_shards(work / "ledger"):
        frame = pl.DataFrame(read_shard(path, [ID, *LINK])).filter(which)
        frames.append(frame.select(pl.lit(path.stem).alias("part"), pl.all()).cast(schema))
    return pl.concat(frames)


def _texts(shard: UPath, ids: set[str]) -> dict[str, str]:
    """Return the texts of documents by id. Row groups may contain none of them."""
    found: dict[str, str] = {}
    for table in read_batches(shard, [ID, TEXT]):
        mine = table.filter(pc.is_in(table[ID], pa.array(ids, table[ID].type)))
        found |= dict(zip(mine[ID].to_pylist(), mine[TEXT].to_pylist(), strict=True))
    return found


def word_diff(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Yield runs of words of both texts, each with its sign: " " in both, "-" only in the old, "+" only in the new.

    >>> list(word_diff("a red mill", "a blue mill"))
    [(' ', 'a'), ('-', ' red'), ('+', ' blue'), (' ', ' mill')]
    """
    before, after = (WORDS.findall(text)[:MAX_WORDS] for text in (old, new))
    for what, i, i_end, j, j_end in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            yield " ", "".join(after[j:j_end])
            continue
        for sign, words in ("-", before[i:i_end]), ("+", after[j:j_end]):
            if words:
                yield sign, "".join(words)
