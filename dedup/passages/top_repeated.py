"""Most frequent passages of a corpus: its boilerplate."""

import numpy as np
import polars as pl

from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.threads import map_threads

MAX_CHARACTERS = 500  # shown of a passage
TOP = {"text": pl.String, "copies": pl.Int64, "documents": pl.Int64, "bytes": pl.Int64, "kept_in": pl.String}
PLACES = {"hash": pl.UInt64, "copies": pl.Int64, "documents": pl.Int64, "document": pl.Int64, "passage": pl.Int64}


def most_frequent(offsets: np.ndarray, rows: np.ndarray, top: int) -> pl.DataFrame:
    """Return the ``top`` groups of equal windows with the most copies, of those long enough to be cut: columns PLACES.

    ``rows`` have the dtype of dedup/passages/repeated.py; the kept copy is first in each group. The hash breaks ties.
    """
    first, copies = offsets[:-1], np.diff(offsets)
    long = np.flatnonzero(rows["long"][first])
    chosen = long[np.lexsort((rows["hash"][first[long]], -copies[long]))][:top]
    documents = [np.unique(rows["document"][offsets[k] : offsets[k + 1]]).size for k in chosen]
    places = rows[first[chosen]]
    columns = [places["hash"], copies[chosen], documents, places["document"], places["passage"]]
    return pl.DataFrame(dict(zip(PLACES, columns, strict=True)), PLACES)


def describe(corpus: Corpus, frames: list[pl.DataFrame], top: int, window: int) -> pl.DataFrame:
    """Return the ``top`` of all partitions with the beginning of their text and the document kept: columns TOP."""
    chosen = pl.concat(frames).sort("copies", "hash", descending=[True, False]).head(top).with_row_index("rank")
    schema = {"rank": pl.UInt32, "text": pl.String, "bytes": pl.Int64, "kept_in": pl.String}
    numbers = chosen["document"].unique().sort().to_numpy()

    def describe_shard(part: str) -> pl.DataFrame:
        rows = corpus.rows_of(part, numbers)
        if not rows.size:
            return pl.DataFrame(schema=schema)
        lists = corpus.measured(part, ["start", "length"]).take(rows)
        start, length = (Ragged.from_lists(lists[name]) for name in ("start", "length"))
        texts = [text.row(i) for text in corpus.texts(part, rows) for i in range(text.rows)]
        ids = corpus.columns(part, [ID], rows)[ID].cast(pl.String)
        place, found = {row + corpus.first[part]: i for i, row in enumerate(rows.tolist())}, []
        mine = chosen.filter(pl.col("document").is_in(list(place)))
        for rank, document, passage in mine.select("rank", "document", "passage").iter_rows():
            i = place[document]
            at = start.offsets[i] + passage
            begin, end = start.data[at], start.data[at + window - 1] + length.data[at + window - 1]
            found.append((rank, texts[i][begin:end].decode(errors="replace")[:MAX_CHARACTERS], end - begin, ids[i]))
        return pl.DataFrame(found, schema, orient="row")

    found = pl.concat([pl.DataFrame(schema=schema), *map_threads(describe_shard, corpus.parts)])
    return chosen.join(found, on="rank").sort("rank").select(TOP.keys())
