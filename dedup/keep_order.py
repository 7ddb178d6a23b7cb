"""Order in which documents are kept: of several duplicates, the first in this order stays.

Documents of indices come first. Then source priority, quality, length and id decide.
"""

from pathlib import Path

import numpy as np
import polars as pl

from gristmill.dedup.ragged_file import RaggedFile
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, SOURCE
from gristmill.pipelines.steps.corpus import Corpus

NAMED_AT_ONCE = 1 << 18  # documents that only their ids tell apart, sorted at a time; one group of these at least


class KeepOrder:
    """Documents in keep order, and their ids in a file. Memory: 24 bytes for each document."""

    def __init__(self, documents: np.ndarray, order: np.ndarray, ids: RaggedFile):
        """Take numbers of documents, ascending, their indices in keep order, and their ids as they are numbered."""
        self.documents, self.order, self.ids = documents, order, ids

    @property
    def ranks(self) -> np.ndarray:
        """Place of each document in keep order, int64[n]."""
        ranks = np.empty(self.order.size, np.int64)
        ranks[self.order] = np.arange(self.order.size)
        return ranks

    def names(self, documents: np.ndarray) -> pl.Series:
        """Read the ids of some documents, in any order."""
        at, which = np.unique(np.searchsorted(self.documents, documents), return_inverse=True)
        return pl.Series(ID, self.ids.read(at).to_text()).gather(which)

    @property
    def nbytes(self) -> int:
        """Bytes held in memory."""
        return self.documents.nbytes + self.order.nbytes + self.ids.offsets.nbytes


def rank_documents(
    corpus: Corpus,
    documents: np.ndarray,
    scratch: Path,
    source_priority: list[str],
    quality_column: str | None,
    bytes: np.ndarray | None = None,
) -> KeepOrder:
    """Return the keep order of ``documents`` (int64, ascending numbers); their ids are written to ``scratch``.

    Sources that are not listed come last, as equals. Higher quality and more bytes come first, null and NaN last.
    ``bytes``, int64 like ``documents``, replaces the measure of that name. Ids are unique, so the order is total and
    depends on the documents only. Memory: the keep order, and what sorting its four keys takes.
    """
    ids, begin = RaggedFile(scratch / "ids", np.dtype(np.uint8)), 0
    priorities = {source: i for i, source in enumerate(source_priority)}
    columns = [ID, SOURCE, *filter(None, [quality_column])]
    priority, quality = np.empty(documents.size, np.int32), np.full(documents.size if quality_column else 0, np.nan)
    size = np.empty(documents.size, np.int64) if bytes is None else bytes
    for part in corpus.shards:
        rows = corpus.rows_of(part, documents)
        mine, begin = slice(begin, begin + rows.size), begin + rows.size
        frame = corpus.columns(part, columns, rows)
        ids.append(Ragged.from_text(frame[ID].cast(pl.String).to_arrow()))
        sources = frame[SOURCE].replace_strict(priorities, default=len(priorities), return_dtype=pl.Int32)
        priority[mine] = sources.to_numpy()
        if quality_column:
            quality[mine] = frame[quality_column].cast(pl.Float64).to_numpy()
        if bytes is None:
            size[mine] = corpus.measured(part, ["bytes"])["bytes"].to_numpy()[rows]
    of_quality = (-np.nan_to_num(quality), np.isnan(quality)) if quality_column else ()
    keys = -size, *of_quality, priority, documents < corpus.n_documents
    order = np.lexsort(keys)
    new = np.zeros(order.size, np.bool_)  # first in keep order of the documents with its keys
    new[:1] = True
    for key in keys:
        new[1:] |= key[order[1:]] != key[order[:-1]]
    _sort_by_ids(order, new, ids)
    return KeepOrder(documents, order, ids)


def _sort_by_ids(order: np.ndarray, new: np.ndarray, ids: RaggedFile) -> None:
    """Sort by their ids, in place, the groups of documents that nothing else tells apart; each begins at ``new``."""
    places = np.flatnonzero(~new | ~np.append(new[1:], True))
    groups = np.cumsum(new[places])
    begin = 0
    while begin < places.size:
        end = int(np.searchsorted(groups, groups[min(begin + NAMED_AT_ONCE, places.size) - 1], "right"))
        at = np.sort(order[places[begin:end]])
        some = pl.DataFrame({"at": order[places[begin:end]], "group": groups[begin:end]}).sort("at")
        some = some.with_columns(pl.Series(ID, ids.read(at).to_text()))
        order[places[begin:end]] = some.sort("group", ID, "at")["at"].to_numpy()
        begin = end
