"""Clusters: a document's near-duplicates, and what differs word by word."""

import difflib
import re
from collections.abc import Iterator
from typing import NamedTuple

import polars as pl
from upath import UPath

from flows.plan import report_of, shards_of
from pipelines.errors import WorkError
from pipelines.schema import ID, TEXT
from pipelines.shards import read_batches, read_shard
from pipelines.step import finished

MAX_WORDS = 20_000  # of a text to compare: difflib's time grows with the square where all differs
WORDS = re.compile(r"\s*\S+")


class Member(NamedTuple):
    """A document of a cluster."""

    id: str
    duplicate_of: str | None  # None: it stays
    similarity: float | None
    contained: float | None
    text: str


def find_cluster(work: UPath, step: str, id: str) -> list[Member]:
    """The documents in one cluster with ``id``, in the order they are kept; texts as they were read.

    Raises WorkError where the document is alike to no other.
    """
    folder = report_of(work, step, "clusters")
    finished(folder, "`gristmill dedup CORPUS --output WORK` makes it")
    parts = sorted(shards_of(folder))
    found = {part: pl.from_arrow(read_shard(folder / f"{part}.parquet")) for part in parts}
    every = pl.concat(found.values()) if found else pl.DataFrame({ID: [], "cluster": []})
    cluster = every.filter(pl.col(ID) == id)["cluster"]
    if cluster.is_empty():
        raise WorkError(f"{id!r} has no near-duplicate in {work}; `gristmill inspect {folder} --sample 3` shows some")
    members, texts = every.filter(pl.col("cluster") == cluster[0]), {}
    for part in parts:
        wanted = found[part].filter(pl.col("cluster") == cluster[0])[ID]
        texts |= _texts(work / "documents" / f"{part}.parquet", set(wanted))
    first = pl.col("duplicate_of").is_not_null(), pl.col(ID)
    rows = members.sort(*first).select(ID, "duplicate_of", "similarity", "contained").iter_rows()
    return [Member(*row, texts[row[0]]) for row in rows]


def _texts(shard: UPath, ids: set[str]) -> dict[str, str]:
    found = {}
    for table in read_batches(shard, [ID, TEXT]) if ids else ():
        rows = [i for i, id in enumerate(table[ID].to_pylist()) if id in ids]
        found |= dict(zip(*(table.take(rows)[name].to_pylist() for name in (ID, TEXT)), strict=True))
    return found


def word_diff(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Pieces of both texts, each with its sign: " " in both, "-" in the old one alone, "+" in the new.

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
