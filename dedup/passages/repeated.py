"""Repeated passages: sentences, lines or paragraphs with several copies in the corpus, all cut except the first.

1. Measure: the passages of each document, and a hash of each after collapsing white space. With ``near_threshold``,
   a passage is replaced by the kept one that it is nearly equal to (dedup/passages/near_repeated.py).
2. Count windows of ``window`` consecutive passages, by partitions of the hash.
3. The first copy in keep order (dedup/keep_order.py), then by position, stays; the others are repeats.
4. Cut runs of repeats of at least ``min_bytes``: a menu or a pasted paragraph, not every "Yes." of a dialogue. So no
   document loses a passage that has no other copy.
5. Of the separators around a run one is kept, that with more line breaks.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field, model_validator

from gristmill.dedup.keep_order import rank_documents
from gristmill.dedup.near.candidates import Numbers
from gristmill.dedup.near.shingles import scramble
from gristmill.dedup.passages.cut_runs import cut_shard
from gristmill.dedup.passages.near_repeated import NearSettings, PassageMatches, match_passages
from gristmill.dedup.passages.split import cut_passages
from gristmill.dedup.passages.top_repeated import describe, most_frequent
from gristmill.dedup.spill import Spill
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO
from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import LANGUAGE
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import CorpusStep, ShardVerdict
from gristmill.pipelines.steps.decisions import violation_lists
from gristmill.pipelines.steps.threads import map_threads

PASSAGE_BYTES = 64  # memory of a passage while its partition is sorted


class RepeatedPassages(CorpusStep):
    """Step that cuts passages the corpus has before, then drops documents with too little text left."""

    NAME: ClassVar[str] = "repeated_passages"
    MEASURED: ClassVar[tuple[str, ...]] = (
        "unit",
        "lowercase",
        "near_threshold",
        "near_shingle_size",
        "near_min_letters",
        "skip_languages",
    )
    NEEDS: ClassVar[tuple[str, ...]] = (LANGUAGE,)
    REPORTS: ClassVar[tuple[str, ...]] = ("top", "found")

    unit: Literal["sentence", "line", "paragraph"] = "line"
    lowercase: bool = False
    window: int = Field(1, ge=1)  # consecutive passages that must be repeated together
    near_threshold: float | None = Field(
        None, ge=0.5, le=1
    )  # Jaccard similarity of nearly equal passages; None: equal ones only
    near_shingle_size: int = Field(5, ge=1, le=64)  # characters
    near_min_letters: int = Field(20, ge=1)  # of a passage to be compared; shorter ones match equals only
    skip_languages: list[str] = ["code"]  # these documents, and conversations, keep all passages and count for no other
    min_copies: int = Field(2, ge=2)
    min_bytes: int = Field(20, ge=0)  # of a run of repeats to be cut
    source_priority: list[str] = []
    quality_column: str | None = None
    min_words_left: int = Field(0, ge=0)  # in a document with cuts
    min_passages_left: int = Field(1, ge=0)  # in a document with cuts
    report_top: int = Field(100, ge=0)  # passages with the most copies, to report
    memory_mb: int = Field(256, ge=64)

    @model_validator(mode="after")
    def _near_needs_window_1(self):
        if self.near_threshold is not None and self.window > 1:
            raise ValueError(f"near_threshold compares single passages: it needs window = 1, found {self.window}")
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
        """Return lists with an entry per passage: hash, start and length in bytes, line breaks after it, words.

        With ``near_threshold`` also ``long``, 1 for passages to compare, and ``keys``, the band hashes of these.
        """
        skipped = batch.has_roles  # a turn that others repeat ("Thanks!") is part of its conversation
        if batch.language is not None:
            skipped = skipped | np.isin(batch.language, self.skip_languages)
        text = _blank(batch.text, skipped)
        found = cut_passages(text, self.unit)
        starts = found.start - np.repeat(text.offsets[:-1], np.diff(found.offsets))
        columns = {
            "hash": found.hashes(text, self.lowercase),
            "start": starts,
            "length": found.end - found.start,
            "breaks": found.breaks,
            "words": found.words,
        }
        keys = {}
        if near := self.nearness:
            columns["long"], bands = near.measure(text, found)
            ends = np.append(0, np.cumsum(columns["long"], dtype=np.int64))[found.offsets] * bands.shape[1]
            keys["keys"] = Ragged.from_arrays(ends, bands.ravel()).to_lists()
        lists = {name: Ragged.from_arrays(found.offsets, values).to_lists() for name, values in columns.items()} | keys
        frame = pl.DataFrame({name: pl.from_arrow(values) for name, values in lists.items()})
        return frame.with_columns(bytes=np.diff(batch.text.offsets))

    def decide(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """Yield each shard's verdict: spans to cut, documents with too little left, reports ``top`` and ``found``."""
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
            decisions = pl.DataFrame({"violations": violation_lists(counts.height, broken)})
            yield ShardVerdict(part, decisions, spans, {"top": top, "found": found})


def find_repeats(
    settings: RepeatedPassages, corpus: Corpus, scratch: Path
) -> Iterator[tuple[str, pa.Table, pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Yield for each shard: name, the three results of `cut_shard`, and the most frequent passages (columns TOP).

    ``kept_in`` is the document with the first copy of a passage's run. The most frequent passages of the whole corpus
    come with the first shard.

    Memory: one partition of the passages, and the keep order of the documents with a repeat.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    total = sum(len(corpus.measured(part, ["hash"])["hash"].combine_chunks().flatten()) for part in corpus.parts)
    memory, order_by = settings.memory_mb << 20, (settings.source_priority, settings.quality_column)
    matches, partitions = PassageMatches(), total * PASSAGE_BYTES // memory + 1
    if near := settings.nearness:
        matches = match_passages(near, settings.unit, corpus, order_by, memory, scratch / "near")
    spill = Spill(scratch / "windows", WINDOW, partitions)

    def write(numbered: tuple[int, str]) -> None:
        rows = windows_of(settings, corpus, matches, numbered[1])
        spill.write(numbered[0], rows, rows["hash"])

    for _ in map_threads(write, enumerate(corpus.parts)):
        pass
    numbers = Numbers()
    for partition in range(partitions):
        offsets, rows = repeated_windows(spill.read(partition), settings.min_copies)
        np.savez(scratch / f"{partition}.npz", offsets=offsets, rows=rows)
        numbers.add(rows["document"])
    spill.remove()
    documents = numbers.distinct()
    keep_order = rank_documents(corpus, documents, scratch, *order_by)
    ranks, copied = keep_order.ranks, []
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
        return cut_shard(corpus, part, repeats, keep_order, matches, settings.window, settings.min_bytes)

    for part, cuts in zip(corpus.parts, map_threads(cut, corpus.parts), strict=True):
        yield part, *cuts, top
        top = top.clear()
    shutil.rmtree(scratch)


WINDOW = np.dtype([("hash", np.uint64), ("document", np.int64), ("passage", np.int32), ("long", np.bool_)])


def windows_of(settings: RepeatedPassages, corpus: Corpus, matches: PassageMatches, part: str) -> np.ndarray:
    """Return the windows of a shard's documents that are left: rows WINDOW."""
    table = corpus.measured(part, ["hash", "length"])
    lists, length = Ragged.from_lists(table["hash"]), Ragged.from_lists(table["length"])
    keep_mask = corpus.keep_mask(part, lists.rows)
    hashes, document, passage, size = windows(
        lists.offsets, matches.keeper(lists.data)[0], length.data, settings.window, keep_mask
    )
    rows = np.empty(hashes.size, WINDOW)
    rows["hash"], rows["document"] = hashes, corpus.first[part] + document
    rows["passage"], rows["long"] = passage, size >= settings.min_bytes
    return rows


def repeated_windows(rows: np.ndarray, min_copies: int) -> tuple[np.ndarray, np.ndarray]:
    """Group the windows that have ``min_copies``: offsets of the groups, rows WINDOW."""
    rows = rows[in_full_slots(np.ascontiguousarray(rows["hash"]), min_copies)]  # most occur once: sort fewer
    rows = rows[np.argsort(rows["hash"], kind="stable")]
    begins = np.flatnonzero(np.append(True, rows["hash"][1:] != rows["hash"][:-1])) if rows.size else rows["document"]
    sizes = np.diff(np.append(begins, rows.size))
    often = sizes >= min_copies
    return np.append(0, np.cumsum(sizes[often])), rows[np.repeat(often, sizes)]


@allocating_kernel
def in_full_slots(hashes, least):
    """Return bool[n]: the hash's slot, of 4 to 8 per hash, has ``least`` hashes or more, as all frequent hashes do."""
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


@allocating_kernel
def windows(offsets, hashes, length, window, keep_mask):
    """Return hash, document, first passage and bytes of all runs of ``window`` passages in documents that are kept."""
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
    """Append repeats to each shard's file, as (row, passage, number of the document with the first copy)."""
    order = np.argsort(rows["document"], kind="stable")
    rows, keeper = rows[order], keeper[order]
    for part in corpus.parts:
        begin, end = np.searchsorted(rows["document"], (corpus.first[part], corpus.first[part] + corpus.rows[part]))
        with (scratch / f"{part}.rows").open("ab") as file:
            some = rows[begin:end]
            np.column_stack((some["document"] - corpus.first[part], some["passage"], keeper[begin:end])).tofile(file)


def _blank(text: Ragged, rows: np.ndarray) -> Ragged:
    """Return the texts with those of the marked rows empty."""
    if not rows.any():
        return text
    sizes = np.diff(text.offsets)
    offsets = np.concatenate(([0], np.cumsum(np.where(rows, 0, sizes))))
    return Ragged.from_arrays(offsets, text.data[np.repeat(~rows, sizes)])
