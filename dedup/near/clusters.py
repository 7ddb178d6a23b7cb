"""Clusters of near-duplicates, shard by shard: the members of all shards, with ids, may not fit in memory."""

import numpy as np
import polars as pl

from gristmill.dedup.keep_order import KeepOrder
from gristmill.dedup.near.compare import CandidateSets
from gristmill.dedup.near.greedy import GreedySelection
from gristmill.pipelines.schema import ID
from gristmill.pipelines.steps.corpus import Corpus

REPORT = {"row": pl.Int64, ID: pl.String, "cluster": pl.String, "cluster_size": pl.Int64} | {
    "duplicate_of": pl.String, "in_index": pl.Boolean, "similarity": pl.Float64, "mark_similarity": pl.Float64,
    "containment": pl.Float64,
}  # fmt: skip


class Clusters:
    """Clusters of the candidates of a corpus. Memory: 12 bytes for each, beside the arguments.

    The keep order and the sets have the candidates as they are numbered, the selection has them in keep order.
    """

    def __init__(
        self, corpus: Corpus, keep_order: KeepOrder, sets: CandidateSets, greedy: GreedySelection, drop_all: bool
    ):
        """With ``drop_all`` a document that has copies is a duplicate of itself, as similar as its nearest copy."""
        self.corpus, self.keep_order, self.sets, self.greedy = corpus, keep_order, sets, greedy
        self.ranks = keep_order.ranks
        self.sizes = np.bincount(greedy.cluster, minlength=self.ranks.size).astype(np.int32)
        self.n_indexed = int((keep_order.documents >= corpus.n_documents).sum())
        self.nearest = np.full((3, self.ranks.size if drop_all else 0), np.nan)
        if drop_all:
            removed = np.flatnonzero(greedy.kept_by != np.arange(self.ranks.size))
            found = self._compare(removed)
            for nearest, similarity in zip(self.nearest, found, strict=True):
                np.fmax.at(nearest, greedy.kept_by[removed], similarity)
            self.nearest[:, : self.n_indexed] = np.nan

    @property
    def nbytes(self) -> int:
        """Bytes held in memory for all candidates, at the peak of the selection."""
        own = self.ranks.nbytes + self.sizes.nbytes + self.nearest.nbytes
        return own + self.keep_order.nbytes + self.sets.nbytes + self.greedy.bytes

    def _compare(self, removed: np.ndarray) -> np.ndarray:
        """Return the similarities of removed documents to the kept ones: words, marks, containment, float64[3, n]."""
        order = self.keep_order.order
        found = self.sets.compare(order[removed], order[self.greedy.kept_by[removed]])
        return np.stack((found.words, found.marks, found.containment))

    def of_part(self, part: str) -> pl.DataFrame:
        """Return the documents of a shard that are in a cluster of two or more, in keep order: columns REPORT."""
        first, documents, order = self.corpus.first[part], self.keep_order.documents, self.keep_order.order
        ranks = np.sort(self.ranks[slice(*np.searchsorted(documents, (first, first + self.corpus.rows[part])))])
        root = self.greedy.cluster[ranks]
        ranks, root = ranks[self.sizes[root] > 1], root[self.sizes[root] > 1]
        keeper = self.greedy.kept_by[ranks]
        removed = keeper != ranks
        similarity = self.nearest[:, ranks] if self.nearest.size else np.full((3, ranks.size), np.nan)
        similarity[:, removed] = self._compare(ranks[removed])
        names = self.keep_order.names(documents[order[np.concatenate((ranks, root, keeper))]])
        named = pl.lit(pl.Series(~np.isnan(similarity[0])))
        columns = {
            "row": documents[order[ranks]] - first,
            ID: names[: ranks.size],
            "cluster": names[ranks.size : 2 * ranks.size],
            "cluster_size": self.sizes[root],
            "duplicate_of": names[2 * ranks.size :],
            "in_index": keeper < self.n_indexed,
            **dict(zip(("similarity", "mark_similarity", "containment"), similarity, strict=True)),
        }
        found = pl.DataFrame(columns, REPORT).with_columns(pl.col(pl.Float64).fill_nan(None))
        return found.with_columns(pl.when(named).then("duplicate_of"), pl.when(named).then("in_index"))
