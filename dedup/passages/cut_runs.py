"""Runs of repeated passages as spans to cut, with one of the separators around each run kept."""

import numpy as np
import polars as pl
import pyarrow as pa

from gristmill.dedup.keep_order import KeepOrder
from gristmill.dedup.passages.near_repeated import PassageMatches
from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.spans import spans_table

REASON = "repeated"
FOUND = {ID: pl.String, "offset": pl.Int64, "length": pl.Int64, "kept_in": pl.String, "similarity": pl.Float64}


def cut_shard(
    corpus: Corpus,
    part: str,
    repeats: np.ndarray,
    keep_order: KeepOrder,
    matches: PassageMatches,
    window: int,
    min_bytes: int,
) -> tuple[pa.Table, pl.DataFrame, pl.DataFrame]:
    """Return one shard's spans to cut (schema SPAN), each document's counts, and the passages cut (columns FOUND).

    ``repeats`` int64[m, 3] holds row, first passage and keeper of each repeated run of ``window`` passages. The
    counts are passages, passages_left and words_left.
    """
    table = corpus.measured(part, ["hash", "start", "length", "breaks", "words"])
    lists = {name: Ragged.from_lists(table[name]) for name in table.column_names}
    offsets = lists["start"].offsets
    row, passage, keeps = repeats.T
    keeper = np.full(lists["start"].data.size, -1)
    for step in reversed(range(window)):  # of several runs that hold a passage, the one that begins with it wins
        keeper[offsets[row] + passage + step] = keeps
    dropped = keeper >= 0
    columns = (lists[name].data for name in ("start", "length", "breaks"))
    document, begin, end = cut_runs(offsets, *columns, dropped, min_bytes)
    words = np.add.reduceat(np.append(np.where(dropped, 0, lists["words"].data), 0), offsets[:-1])
    counts = pl.DataFrame(
        {
            "passages": np.diff(offsets),
            "passages_left": np.diff(np.append(0, np.cumsum(~dropped))[offsets]),
            "words_left": np.where(np.diff(offsets) > 0, words, 0),
        }
    )
    places = np.flatnonzero(dropped)
    rows = np.searchsorted(offsets, places, "right") - 1
    names = corpus.columns(part, [ID], np.arange(corpus.rows[part]))[ID].cast(pl.String)
    kept = keep_order.names(keeper[places])
    ranges = lists["start"].data[places], lists["length"].data[places]
    _, similarity = matches.keeper(lists["hash"].data[places])
    found = pl.DataFrame(dict(zip(FOUND, (names.gather(rows), *ranges, kept, similarity), strict=True)), FOUND)
    return spans_table(document, begin, end - begin, [REASON] * document.size), counts, found


@allocating_kernel
def cut_runs(offsets, start, length, breaks, repeats, min_bytes):
    """Return document, begin and end of each span to cut; clear ``repeats`` for runs below ``min_bytes``."""
    document = np.empty(repeats.sum(), np.int64)
    begins, ends = np.empty(document.size, np.int64), np.empty(document.size, np.int64)
    m = 0
    for i in range(offsets.size - 1):
        at = offsets[i]
        while at < offsets[i + 1]:
            if not repeats[at]:
                at += 1
                continue
            first, size = at, 0
            while at < offsets[i + 1] and repeats[at]:
                size += length[at]
                at += 1
            if size < min_bytes:
                repeats[first:at] = False
                continue
            begin, end = start[first], start[at - 1] + length[at - 1]
            leads, trails = first == offsets[i], at == offsets[i + 1]
            if not trails and (leads or breaks[first - 1] >= breaks[at - 1]):
                end = start[at]  # keep the white space before the run
            elif not leads:
                begin = start[first - 1] + length[first - 1]  # keep the white space after it
            document[m], begins[m], ends[m] = i, begin, end
            m += 1
    return document[:m], begins[:m], ends[:m]
