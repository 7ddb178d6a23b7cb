"""Links of duplicates: the kept document that stands for each removed copy, in ``duplicate_of`` of the ledger.

A deduplication step names the document that it kept, the copy's *neighbor*. Later steps may remove the neighbor:

- As a copy of another document: the link is followed to that one, and so on.
- By any other rule: then the run keeps no document like the copy, and its ``duplicate_of`` is null. Nothing is
  promoted in its place, because the rule spoke of nearly the same text. The ledger's row of the neighbor has the rule.

With ``drop = "all"`` the neighbor goes with its copies and is its own neighbor; ``duplicate_of`` is null for all.

Documents of indices are kept. A link to one ends there, even if a document of the corpus has the same id.
"""

import numpy as np
import polars as pl
from upath import UPath

from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, LINK
from gristmill.pipelines.steps.corpus_step import rows_by_part
from gristmill.pipelines.steps.decisions import survivors
from gristmill.pipelines.steps.step import Output, Written
from gristmill.pipelines.storage.shards import read_shard, write_shard

NAMED = {"part": pl.String, "row": pl.Int64, ID: pl.String, "duplicate_of": pl.String, "in_index": pl.Boolean}


def link_duplicates(
    folders: list[UPath], naming: list[UPath], parts: list[str], outputs: tuple[Output, ...]
) -> list[Written]:
    """Write each shard's links (schema LINK).

    ``folders`` hold the decisions of all steps, ``naming`` those of the deduplication steps among them, in order.
    Memory: the ids of the duplicates and of their neighbors.
    """
    named = _followed(pl.concat([pl.DataFrame(schema=NAMED), *(_named(naming, part) for part in parts)]))
    ends = named.filter(~pl.col("in_index"))["duplicate_of"].unique()
    hashes = np.sort(hash_rows(*Ragged.from_text(ends.to_arrow())))
    gone = pl.concat([ends.clear(), *(_removed(folders, part, hashes) for part in parts)])
    of_part = rows_by_part(named.filter(pl.col("in_index") | ~pl.col("duplicate_of").is_in(gone.implode())))
    wrote = []
    for output in outputs:
        table = of_part(output.name).select(LINK.names).to_arrow()
        wrote.append(Written([output.path.name], {"links": write_shard(output.path, [table], LINK)}))
    return wrote


def _named(naming: list[UPath], part: str) -> pl.DataFrame:
    """Return the duplicates of a shard and their neighbors (columns NAMED)."""
    columns = [ID, "duplicate_of", "in_index"]
    frames = [pl.DataFrame(read_shard(folder / f"{part}.parquet", columns)).with_row_index("row") for folder in naming]
    others = pl.col("in_index") | (pl.col("duplicate_of") != pl.col(ID))  # its own neighbor: the group is dropped
    found = pl.concat(frames).filter(others)
    return found.select(pl.lit(part).alias("part"), *list(NAMED)[1:]).cast(pl.Schema(NAMED))


def _followed(named: pl.DataFrame) -> pl.DataFrame:
    """Replace each neighbor that is itself a duplicate by its own, to the end of the chain.

    Each step names documents that it kept, so a chain has a link for each deduplication step at most.
    """
    onward = named.select(duplicate_of=ID, next="duplicate_of", next_in_index="in_index")
    while True:
        ahead = named.join(onward, on="duplicate_of", how="left", maintain_order="left")
        moves = ~pl.col("in_index") & pl.col("next").is_not_null()
        if not ahead.select(moves.any()).item():
            return named
        named = ahead.with_columns(
            pl.when(moves).then("next").otherwise("duplicate_of").alias("duplicate_of"),
            pl.when(moves).then("next_in_index").otherwise("in_index").alias("in_index"),
        ).select(NAMED.keys())


def _removed(folders: list[UPath], part: str, hashes: np.ndarray) -> pl.Series:
    """Return the ids that a step removed from a shard, of those with one of the ascending hashes."""
    own = pl.Series(read_shard(folders[0] / f"{part}.parquet", [ID])[ID])
    own = own.filter(~survivors(folders, part, len(own)))
    found = hash_rows(*Ragged.from_text(own.to_arrow()))
    at = np.minimum(np.searchsorted(hashes, found), hashes.size - 1)
    return own.filter(hashes[at] == found) if hashes.size else own.clear()
