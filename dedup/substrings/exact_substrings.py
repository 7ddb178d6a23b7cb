"""Exact substrings: cut or report spans of 50 words and more that the corpus has before (Lee et al. 2022,
arXiv:2107.06499).

A span of at least n tokens occurs twice exactly if each of its windows of n tokens does. So hashes of windows find the
same spans as a suffix array, in memory that does not grow with the corpus.

1. Mark two bits for each window's hash (seen, seen again) over all documents; windows seen once are dropped.
2. Write the rest, some hundredths of most corpora, as rows of 32 bytes in partitions by hash, each sorted alone. Two
   64-bit hashes identify a window: among 1e11 windows, any two collide with probability 1.5e-17.
3. Keep the first of equal windows in keep order (dedup/keep_order.py), then by position; the others are repeats.
4. Cut the tokens of repeats that are in no kept window. So the text of each cut span is whole somewhere else, and a
   word repeated in a row keeps its first n copies.
5. Of the separators around a span keep one, that with more line breaks.

messy.jsonl.zst (98.9 MB, an eighth of it repeats) takes 9 CPU seconds and 0.75 GB.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from gristmill.dedup.keep_order import KeepOrder, rank_documents
from gristmill.dedup.substrings.token_windows import (
    CHARACTER,
    cut_spans,
    dropped_tokens,
    mark_windows,
    tokens_of,
    windows_seen_again,
)
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import CorpusStep, ShardVerdict
from gristmill.pipelines.steps.decisions import violation_lists
from gristmill.pipelines.steps.spans import spans_table

REASON = "repeated"
BYTES_PER_TEXT_BYTE = 16  # memory per byte of text while its partition is sorted, if half of all windows repeat
WINDOW = np.dtype([("hash", np.uint64), ("check", np.uint64), ("document", np.int64), ("token", np.int64)])


class Substrings(CorpusStep):
    """Step that cuts long spans the corpus has before, then drops documents with too little text left."""

    NAME: ClassVar[str] = "substrings"
    REPORTS: ClassVar[tuple[str, ...]] = ("found",)

    unit: Literal["word", "character"] = "word"  # in scripts without spaces each letter is a word
    length: int = Field(50, ge=2)  # units of a span, at least
    action: Literal["cut", "report"] = "cut"
    source_priority: list[str] = []
    quality_column: str | None = None
    min_tokens_left: int = Field(1, ge=0)  # units in a document with cuts
    memory_mb: int = Field(1024, ge=1)

    @property
    def rewrites(self) -> bool:
        return self.action == "cut"

    def measure(self, batch) -> pl.DataFrame:
        """Return bytes only, for the keep order: tokenizing again is as fast as reading tokens from disk."""
        return pl.DataFrame({"bytes": np.diff(batch.text.offsets)})

    def decide(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """Yield each shard's verdict: spans to cut, documents with too little left, and the report ``found``."""
        for part, found, left in find_substrings(self, corpus, scratch):
            lost = np.zeros(left.size, bool)
            lost[found["row"].to_numpy()] = self.rewrites
            few = np.flatnonzero(lost & (left < self.min_tokens_left))
            broken = [("tokens_left_too_low", few, left[few].astype(float), float(self.min_tokens_left))]
            decisions = pl.DataFrame({"violations": violation_lists(left.size, broken)})
            spans = spans_table(found["row"], found["offset"], found["length"], [REASON] * found.height)
            yield ShardVerdict(part, decisions, spans if self.rewrites else None, {"found": found.drop("row")})


FOUND = {
    "row": pl.Int64,
    ID: pl.String,
    "offset": pl.Int64,
    "length": pl.Int64,
    "tokens": pl.Int64,
    "kept_in": pl.String,
}


def find_substrings(
    settings: Substrings, corpus: Corpus, scratch: Path
) -> Iterator[tuple[str, pl.DataFrame, np.ndarray]]:
    """Yield for each shard: name, repeated spans (columns FOUND), and the tokens left in each document, int64[n].

    ``kept_in`` is a document that keeps the beginning of the span.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    size = sum(int(corpus.measured(part, ["bytes"])["bytes"].to_numpy().sum()) for part in corpus.parts)
    partitions = min(256, size * BYTES_PER_TEXT_BYTE // (settings.memory_mb << 20) + 1)
    for name in (
        *(f"{partition}.windows" for partition in range(partitions)),
        *(f"{part}.rows" for part in corpus.parts),
    ):
        (scratch / name).touch()
    _spill(settings, corpus, _seen_again(settings, corpus, size), scratch, partitions)
    keep_order = _resolve(settings, corpus, scratch, partitions)
    for part in corpus.parts:
        yield part, *_spans(settings, corpus, part, scratch / f"{part}.rows", keep_order)
    shutil.rmtree(scratch)


def _kept_texts(corpus: Corpus, part: str) -> Iterator[tuple[np.ndarray, Ragged]]:
    """Yield rows and texts of a shard's documents that earlier steps kept, by row group."""
    rows, first = np.flatnonzero(corpus.keep_mask(part, corpus.rows[part])), 0
    for text in corpus.texts(part, rows):
        yield rows[first : first + text.rows], text
        first += text.rows


def _seen_again(settings: Substrings, corpus: Corpus, size: int) -> np.ndarray:
    """Return a bit table, uint64[n], over the hashes of all windows: seen at least twice.

    It has 16 bits per window if memory allows. Windows that share a bit are written to disk, too; none is lost.
    """
    tokens = size if settings.unit == CHARACTER else size // 4
    bits = np.zeros((2, 1 << int(np.clip(tokens // 4, 1024, settings.memory_mb << 16) - 1).bit_length()), np.uint64)
    for part in corpus.parts:
        for _, text in _kept_texts(corpus, part):
            offsets, _, _, hashes = tokens_of(text, settings.unit)
            mark_windows(offsets, hashes, settings.length, bits)
    return bits[1]


def _spill(settings: Substrings, corpus: Corpus, again: np.ndarray, scratch: Path, partitions: int) -> None:
    """Write the windows seen again, as rows WINDOW, to a file for each partition of their hashes."""
    for part in corpus.parts:
        for which, text in _kept_texts(corpus, part):
            offsets, _, _, hashes = tokens_of(text, settings.unit)
            rows = np.empty((hashes.size, 4), np.uint64)
            rows = rows[: windows_seen_again(offsets, hashes, settings.length, again, rows)]
            windows = rows.view(WINDOW).ravel()
            windows["document"] = corpus.first[part] + which[windows["document"]]
            for partition in range(partitions):
                mine = windows[windows["hash"] % np.uint64(partitions) == partition] if partitions > 1 else windows
                with (scratch / f"{partition}.windows").open("ab") as file:
                    mine.tofile(file)


def _resolve(settings: Substrings, corpus: Corpus, scratch: Path, partitions: int) -> KeepOrder:
    """Decide which windows are kept, in a file for each shard; return the order of the documents that have some.

    The files hold int64 rows: row, token, and keeper, which is -1 - (the document that keeps it) for a repeat.
    """
    documents = np.zeros(0, np.int64)
    for partition in range(partitions):
        offsets, rows = _groups(np.fromfile(scratch / f"{partition}.windows", WINDOW))
        np.savez(scratch / f"{partition}.npz", offsets=offsets, rows=rows)
        documents = np.union1d(documents, rows["document"])
    keep_order = rank_documents(corpus, documents, scratch, settings.source_priority, settings.quality_column)
    rank = keep_order.ranks
    for partition in range(partitions):
        with np.load(scratch / f"{partition}.npz") as saved:
            offsets, rows = saved["offsets"], saved["rows"]
        group = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
        ranks = rank[np.searchsorted(documents, rows["document"])]
        rows = rows[np.lexsort((rows["token"], ranks, group))]
        keeper = np.repeat(rows["document"][offsets[:-1]], np.diff(offsets))
        is_kept = np.zeros(rows.size, bool)
        is_kept[offsets[:-1]] = True
        keeper[~is_kept] = -1 - keeper[~is_kept]  # below 0: a repeat
        by_document = np.argsort(rows["document"], kind="stable")
        rows, keeper = rows[by_document], keeper[by_document]
        for part in corpus.parts:
            first = corpus.first[part]
            begin, end = np.searchsorted(rows["document"], (first, first + corpus.rows[part]))
            mine = np.column_stack((rows["document"][begin:end] - first, rows["token"][begin:end], keeper[begin:end]))
            with (scratch / f"{part}.rows").open("ab") as file:
                mine.astype(np.int64).tofile(file)
    return keep_order


def _groups(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Group equal windows that occur at least twice: offsets of the groups, rows WINDOW."""
    windows = windows[np.lexsort((windows["check"], windows["hash"]))]
    new = (windows["hash"][1:] != windows["hash"][:-1]) | (windows["check"][1:] != windows["check"][:-1])
    begins = np.flatnonzero(np.append(True, new)) if windows.size else np.zeros(0, np.int64)
    sizes = np.diff(np.append(begins, windows.size))
    return np.append(0, np.cumsum(sizes[sizes > 1])), windows[np.repeat(sizes > 1, sizes)]


def _spans(
    settings: Substrings, corpus: Corpus, part: str, path: Path, keep_order: KeepOrder
) -> tuple[pl.DataFrame, np.ndarray]:
    """Return the spans of one shard (columns FOUND) and the tokens left in each of its documents."""
    rows, token, keeper = np.fromfile(path, np.int64).reshape(-1, 3).T
    order = np.lexsort((token, rows))
    rows, token, keeper = rows[order], token[order], keeper[order]
    left, found = np.zeros(corpus.rows[part], np.int64), []
    names = corpus.columns(part, [ID], np.arange(corpus.rows[part]))[ID].cast(pl.String)
    for which, text in _kept_texts(corpus, part):
        offsets, start, end, _ = tokens_of(text, settings.unit)
        begin, stop = np.searchsorted(rows, (which[0], which[-1] + 1)) if which.size else (0, 0)
        place = np.searchsorted(which, rows[begin:stop])
        at = offsets[place] + token[begin:stop]
        first, last, kept = dropped_tokens(offsets, at, keeper[begin:stop], settings.length)
        cut = cut_spans(*text, offsets, start, end, first, last)
        counts = np.diff(offsets)
        document = np.searchsorted(offsets, first, "right") - 1
        np.subtract.at(counts, document, last - first)
        left[which] = counts
        columns = which[document], names.gather(which[document]), *cut, last - first, keep_order.names(kept)
        found.append(pl.DataFrame(dict(zip(FOUND, columns, strict=True)), FOUND))
    return pl.concat([pl.DataFrame(schema=FOUND), *found]), left
