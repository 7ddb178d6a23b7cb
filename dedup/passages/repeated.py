"""Repeated passages: sentences, lines or paragraphs that occur more than once in the corpus, cut but for the first.

1. Measure: the passages of each document and a hash of each after collapsing white space. By option, passages nearly
   alike to one that stays are taken for it (dedup/passages/near_repeated.py), so that what follows sees them as equal.
2. Count, by partitions of the hash: what occurs at least twice (or ``window`` consecutive passages that do).
3. The first by the order of documents (dedup/keep_order.py), then by place, stays; the others are repeats.
4. Only runs of repeats with ``min_bytes`` go: a menu or a pasted paragraph, not every "Yes." of a dialogue.
   So no document loses a passage that occurs once in the corpus, nearly or exactly.
5. What separated the run from its neighbours is kept once, the side with more line breaks.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from numba import njit
from pydantic import Field, model_validator

from gristmill.dedup.keep_order import rank_documents
from gristmill.dedup.near.shingles import scramble
from gristmill.dedup.passages.cut_runs import cut_shard
from gristmill.dedup.passages.near_repeated import NearSettings, PassageMatches, match_passages
from gristmill.dedup.passages.split import LINE, cut_passages
from gristmill.dedup.passages.top_repeated import describe, most_frequent
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import CorpusStep, ShardVerdict
from gristmill.pipelines.steps.decisions import broken_lists
from gristmill.pipelines.steps.threads import map_threads

PASSAGE_BYTES = 64  # of memory for a passage while its partition is sorted


class RepeatedPassages(CorpusStep):
    """Cuts passages that the corpus has before; then drops documents of which too little is left."""

    NAME: ClassVar[str] = "repeated_passages"
    MEASURED: ClassVar[tuple[str, ...]] = (
        "unit",
        "lowercase",
        "near_threshold",
        "near_shingle_size",
        "near_min_letters",
    )
    REPORTS: ClassVar[tuple[str, ...]] = ("top", "found")

    unit: Literal["sentence", "line", "paragraph"] = LINE
    lowercase: bool = False
    window: int = Field(1, ge=1)  # consecutive passages that must occur together
    near_threshold: float | None = Field(None, ge=0.5, le=1)  # Jaccard similarity
    near_shingle_size: int = Field(5, ge=1, le=64)  # in the runs of characters that are compared
    near_min_letters: int = Field(20, ge=1)  # that a passage has to have; shorter ones are taken for their equals only
    min_copies: int = Field(2, ge=2)
    min_bytes: int = Field(20, ge=0)  # bytes of a run of repeats
    source_priority: list[str] = []
    quality_column: str | None = None
    min_words_left: int = Field(0, ge=0)  # left in a document that lost some
    min_passages_left: int = Field(1, ge=0)
    report_top: int = Field(100, ge=0)  # most copied passages to report
    memory_mb: int = Field(1024, ge=64)

    @model_validator(mode="after")
    def _near_goes_alone(self):
        if self.near_threshold is not None and self.window > 1:
            raise ValueError(f"near compares passages one by one: it does not go with window = {self.window}")
        return self

    @property
    def rewrites(self) -> bool:
        return True

    @property
    def nearness(self) -> NearSettings | None:
        return (
            None
            if self.near_threshold is None
            else NearSettings(self.near_threshold, self.near_shingle_size, self.near_min_letters)
        )

    def measure(self, batch) -> pl.DataFrame:
        """Lists, one entry a passage: its hash, place and length in bytes, line breaks behind it, words.

        With ``near_threshold``, whether it is long enough for that, and the bands of those that are.
        """
        found = cut_passages(batch.text, self.unit)
        starts = found.start - np.repeat(batch.text.offsets[:-1], np.diff(found.offsets))
        columns = {
            "hash": found.hashes(batch.text, self.lowercase),
            "start": starts,
            "length": found.end - found.start,
            "breaks": found.breaks,
            "words": found.words,
        }
        keys = {}
        if near := self.nearness:
            columns["long"], bands = near.measure(batch.text, found)
            ends = np.append(0, np.cumsum(columns["long"], dtype=np.int64))[found.offsets] * bands.shape[1]
            keys["keys"] = Ragged.of(ends, bands.ravel()).to_lists()
        lists = {name: Ragged.of(found.offsets, values).to_lists() for name, values in columns.items()} | keys
        frame = pl.DataFrame({name: pl.from_arrow(values) for name, values in lists.items()})
        return frame.with_columns(bytes=np.diff(batch.text.offsets))

    def judge(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """Spans to cut, and which documents go because too little of them is left."""
        least = {
            "words_left_too_low": ("words_left", self.min_words_left),
            "passages_left_too_low": ("passages_left", self.min_passages_left),
        }
        for part, spans, counts, found, top in find_repeats(self, corpus, scratch):
            cut, broken = (counts["passages_left"] < counts["passages"]).to_numpy(), []
            for rule, (left, minimum) in least.items():
                value = counts[left].to_numpy()
                rows = np.flatnonzero(cut & (value < minimum))
                broken.append((rule, rows, value[rows].astype(float), float(minimum)))
            decisions = pl.DataFrame({"broken": broken_lists(counts.height, broken)})
            yield ShardVerdict(part, decisions, spans, {"top": top, "found": found})


def find_repeats(
    settings: RepeatedPassages, corpus: Corpus, scratch: Path
) -> Iterator[tuple[str, pa.Table, pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """For each part: its name, the spans to cut (schema SPAN), per document words and passages before and after, and
    the passages cut (dedup/runs.FOUND; ``in`` is the document that has the first copy of the run they lie in).

    With the first part come the most copied passages of all (dedup/passages/top_repeated.py).

    Memory: a partition of the passages at a time, and 8 bytes and the id of each document that has a repeat.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    total = sum(len(corpus.measured(part, ["hash"])["hash"].combine_chunks().flatten()) for part in corpus.parts)
    memory, order_by = settings.memory_mb << 20, (settings.source_priority, settings.quality_column)
    alike, partitions = PassageMatches(), total * PASSAGE_BYTES // memory + 1
    if near := settings.nearness:
        alike = match_passages(near, settings.unit, corpus, order_by, memory, scratch / "near")
    documents = np.zeros(0, np.int64)
    for partition in range(partitions):
        offsets, rows = repeated(settings, corpus, alike, partition, partitions)
        np.savez(scratch / f"{partition}.npz", offsets=offsets, rows=rows)
        documents = np.union1d(documents, rows["document"])
    ranked = rank_documents(corpus, documents, *order_by)
    place = ranked["place"].to_numpy()
    ids, ranks = pl.DataFrame({"document": documents[place], ID: ranked[ID]}), np.empty(place.size, np.int64)
    ranks[place] = np.arange(place.size)
    copied = []
    for partition in range(partitions):
        with np.load(scratch / f"{partition}.npz") as saved:
            offsets, rows = saved["offsets"], saved["rows"]
        bucket = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
        rows = rows[np.lexsort((rows["passage"], ranks[np.searchsorted(documents, rows["document"])], bucket))]
        first, later = rows["document"][offsets[:-1]][bucket], np.ones(rows.size, np.bool_)
        later[offsets[:-1]] = False
        _scatter(corpus, rows[later], first[later], scratch)
        copied.append(most_frequent(offsets, rows, settings.report_top))
    top = describe(corpus, copied, settings.report_top, settings.window)

    def cut(part: str) -> tuple:
        repeats = np.fromfile(scratch / f"{part}.rows", np.int64).reshape(-1, 3)
        return cut_shard(corpus, part, repeats, ids, alike, settings.window, settings.min_bytes)

    for part, cuts in zip(corpus.parts, map_threads(cut, corpus.parts), strict=True):
        yield part, *cuts, top
        top = top.clear()
    shutil.rmtree(scratch)


WINDOW = np.dtype([("hash", np.uint64), ("document", np.int64), ("passage", np.int64), ("long", np.bool_)])


def repeated(
    settings: RepeatedPassages, corpus: Corpus, alike: PassageMatches, partition: int, partitions: int
) -> tuple[np.ndarray, np.ndarray]:
    """Windows of ``window`` passages whose hash, of this partition, occurs often enough: offsets, rows WINDOW."""

    def of_part(part: str) -> np.ndarray:
        table = corpus.measured(part, ["hash", "length"])
        lists, length = Ragged.from_lists(table["hash"]), Ragged.from_lists(table["length"])
        keep_mask = corpus.stays(part, lists.rows)
        hashes, document, passage, size = windows(
            lists.offsets, alike.keeper(lists.data)[0], length.data, settings.window, keep_mask
        )
        mine = hashes % np.uint64(partitions) == partition
        rows = np.empty(int(mine.sum()), WINDOW)
        rows["hash"], rows["document"] = hashes[mine], corpus.first[part] + document[mine]
        rows["passage"], rows["long"] = passage[mine], size[mine] >= settings.min_bytes
        return rows

    rows = np.concatenate([np.zeros(0, WINDOW), *map_threads(of_part, corpus.parts)])
    rows = rows[in_full_slots(rows["hash"], settings.min_copies)]  # most occur once: fewer to sort
    rows = rows[np.argsort(rows["hash"], kind="stable")]
    begins = np.flatnonzero(np.append(True, rows["hash"][1:] != rows["hash"][:-1])) if rows.size else rows["document"]
    sizes = np.diff(np.append(begins, rows.size))
    often = sizes >= settings.min_copies
    return np.append(0, np.cumsum(sizes[often])), rows[np.repeat(often, sizes)]


@njit(nogil=True, cache=True)
def in_full_slots(hashes, least):
    """Which hashes lie in a slot, of 4 to 8 for each, with ``least`` hashes or more: all that occur so often do."""
    bits = 2
    while 1 << bits < 4 * hashes.size:
        bits += 1
    counts, shift, most = np.zeros(1 << bits, np.uint8), np.uint64(64 - bits), min(least, 255)
    for hash in hashes:
        counts[hash >> shift] += counts[hash >> shift] < most
    full = np.empty(hashes.size, np.bool_)
    for i in range(hashes.size):
        full[i] = counts[hashes[i] >> shift] == most
    return full


@njit(nogil=True, cache=True)
def windows(offsets, hashes, length, window, keep_mask):
    """Hash, document, first passage and bytes of all runs of ``window`` passages in documents that stay."""
    room = hashes.size
    out, document, passage = np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.int64)
    size = np.empty(room, np.int64)
    m = 0
    for i in range(offsets.size - 1):
        for at in range(offsets[i], offsets[i + 1] - window + 1 if keep_mask[i] else 0):
            hash = hashes[at]
            for j in range(1, window):
                hash = scramble(hash * GOLDEN_RATIO + hashes[at + j])
            out[m], document[m], passage[m] = hash, i, at - offsets[i]
            size[m] = length[at : at + window].sum()
            m += 1
    return out[:m], document[:m], passage[:m], size[:m]


def _scatter(corpus: Corpus, rows: np.ndarray, keeper: np.ndarray, scratch: Path) -> None:
    """Append repeats to a file for each part, as (row, passage, number of the document with the first copy)."""
    order = np.argsort(rows["document"], kind="stable")
    rows, keeper = rows[order], keeper[order]
    for part in corpus.parts:
        begin, end = np.searchsorted(rows["document"], (corpus.first[part], corpus.first[part] + corpus.rows[part]))
        with (scratch / f"{part}.rows").open("ab") as file:
            some = rows[begin:end]
            np.column_stack((some["document"] - corpus.first[part], some["passage"], keeper[begin:end])).tofile(file)
