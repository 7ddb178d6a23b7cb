"""Contamination: documents that contain items of the benchmarks that a model will be evaluated on.

1. Index the word n-grams of each item's question; a question of fewer words is a single n-gram. Case, punctuation and
   white space are ignored, and each Chinese character is a word (dedup/contamination/ngram_index.py). Questions below
   ``min_words`` are not searched: "Explain." may come from anywhere.
2. Measure: the n-grams of the index in each document, by 64-bit hashes.
3. Decide: a document contains an item if it has n-grams with ``threshold`` of the item's weight. An n-gram weighs
   1 / (documents that contain it), since sharing "which of the following is not a" proves little. An item of one
   n-gram is ignored if more than ``max_documents`` contain it. A short item of common words only, such as "Economic
   growth is:", counts only with a choice or answer near it, and is not searched without any
   (dedup/contamination/phrases.py).
4. Drop the document, cut the item out of it (with adjacent choices and answers), or only report.

Memory: 8 bytes per n-gram of the index, and the n-grams of one shard.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from gristmill.dedup.contamination.eval_sets import FIELD_NAMES, Item, find_eval_sets, read_items
from gristmill.dedup.contamination.ngram_index import EvalNgramIndex, ngram_coverage
from gristmill.dedup.contamination.spans import covered_spans, word_places
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.inputs.inputs import File
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import CorpusStep, ShardVerdict
from gristmill.pipelines.steps.spans import spans_table
from gristmill.pipelines.storage.manifest import fingerprint

SPACE = b"\t\n\v\f\r "
NEAR = 50  # words between a common phrase and the answer that confirms it
WORDS_LEFT_TOO_LOW = "words_left_too_low"
FOUND = pl.Schema(
    {"row": pl.Int64, ID: pl.String, "benchmark": pl.String, "item": pl.String, "coverage": pl.Float64}
    | {"offset": pl.Int64, "length": pl.Int64, "number": pl.Int64}
)
ITEMS = pl.Schema(
    {"benchmark": pl.String, "item": pl.String, "searchable": pl.Boolean, "documents": pl.Int64}
    | {"coverage": pl.Float64, "ids": pl.List(pl.String)}
)


class Contamination(CorpusStep):
    """Step that finds benchmark items in documents, by the weighted share of their n-grams."""

    NAME: ClassVar[str] = "decontaminate"
    MEASURED: ClassVar[tuple[str, ...]] = ("ngram", "min_words")
    REPORTS: ClassVar[tuple[str, ...]] = ("found", "items")

    against: list[str] = []  # evaluation sets: JSON lines, Parquet, folders of them, or hf:NAME
    action: Literal["drop", "cut", "report"] = "drop"
    ngram: int = Field(6, ge=2, le=64)  # words
    min_words: int = Field(3, ge=1)  # of a question to be searched
    threshold: float = Field(0.35, gt=0, le=1)  # share of the item's weight; low, since rare n-grams weigh more
    max_documents: float = Field(0.0005, gt=0, le=1)  # share of the corpus that may contain an item of one n-gram
    min_words_left: int = Field(10, ge=0)  # in a document with cuts
    question: str | None = None  # dotted name of the field, such as "doc.query"; None: by its usual names
    choices: str | None = None
    answer: str | None = None
    id: str | None = None
    benchmark: str | None = None
    split: str = "test"  # of a Hugging Face dataset
    config: str | None = None

    @property
    def rewrites(self) -> bool:
        return self.action == "cut"

    def index(self, items: list[Item]) -> EvalNgramIndex:
        """Index the n-grams of items."""
        return EvalNgramIndex(items, self.ngram, self.min_words)

    def loaded(self) -> EvalNgramIndex:
        """Return the index of the evaluation sets, cached in the process until a file changes."""
        if not self.against:
            raise RecipeError(f"{self.NAME} has no evaluation sets: name them in `against`, or with --against EVAL")
        fields = tuple((role, name) for role in FIELD_NAMES if (name := getattr(self, role)))
        files = tuple(find_eval_sets(self.against, self.split, self.config))
        return _load(files, fields, self.split, self.config, self.ngram, self.min_words)

    def input_fingerprint(self) -> str:
        return fingerprint([list(item) for item in self.loaded().items])

    def measured_settings(self) -> dict:
        return super().measured_settings() | {"items": self.input_fingerprint()}

    def measure(self, batch) -> pl.DataFrame:
        """Return the numbers of the n-grams of the index in each document."""
        return pl.DataFrame({"grams": pl.from_arrow(self.loaded().measure(batch.text).to_lists())})

    def decide(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """Yield each shard's verdict: rules are named after benchmarks, and broken with the highest coverage."""
        index = self.loaded()
        held_by, documents = np.zeros(index.grams.size, np.int64), 0
        for part in corpus.parts:
            grams, keep_mask = _grams(corpus, part)
            mine = np.repeat(keep_mask, np.diff(grams.offsets))
            held_by += np.bincount(grams.data[mine], minlength=held_by.size)
            documents += int(keep_mask.sum())
        weight, common = self.idf_weights(held_by, documents, index)
        found = {}
        for part in corpus.parts:
            grams, keep_mask = _grams(corpus, part)
            hits = self.match(grams, index, weight, common)
            found[part] = self._locate(corpus, part, hits.filter(pl.Series(keep_mask)[hits["row"]]), index, weight)
        items = summarize(index, pl.concat([frame for frame, *_ in found.values()]))
        for part, (frame, spans, broken) in found.items():
            report = frame.drop("row", "number")
            yield ShardVerdict(part, pl.DataFrame({"violations": broken}), spans, {"found": report, "items": items})
            items = items.clear()

    def idf_weights(self, held_by: np.ndarray, documents: int, index: EvalNgramIndex) -> tuple[np.ndarray, np.ndarray]:
        """Return the weight of each n-gram, and bool[items]: the item is a single n-gram and a common phrase."""
        common = held_by > max(2, math.ceil(self.max_documents * documents))
        lone = np.diff(index.of_item.offsets) == 1
        phrase = np.zeros(lone.size, np.bool_)
        phrase[lone] = common[index.of_item.data[index.of_item.offsets[:-1][lone]]]
        return 1 / np.maximum(held_by, 1), phrase

    def match(self, grams: Ragged, index: EvalNgramIndex, weight: np.ndarray, common: np.ndarray) -> pl.DataFrame:
        """Return row, item and coverage of each item that a document contains."""
        rows, items, coverage = ngram_coverage(*grams, *index.items_of, *index.of_item, weight, self.threshold)
        known = ~common[items]
        return pl.DataFrame({"row": rows[known], "item": items[known], "coverage": coverage[known]})

    def find(self, grams: Ragged, index: EvalNgramIndex) -> pl.DataFrame:
        """Match the n-grams of a whole corpus; ``grams`` gives their weights, too."""
        return self.match(
            grams, index, *self.idf_weights(np.bincount(grams.data, minlength=index.grams.size), grams.rows, index)
        )

    def _locate(
        self, corpus: Corpus, part: str, hits: pl.DataFrame, index: EvalNgramIndex, weight: np.ndarray
    ) -> tuple:
        """Locate the items in a shard: columns FOUND, spans to cut, lists of broken rules."""
        rows = np.unique(hits["row"].to_numpy())
        texts = (
            text.data[text.offsets[i] : text.offsets[i + 1]]
            for text in corpus.texts(part, rows)
            for i in range(text.rows)
        )
        ids = corpus.columns(part, [ID], rows)[ID]
        found, cuts, left = [], [], {}
        for row, id, text in zip(rows.tolist(), ids, texts, strict=True):
            hashes, starts, ends = word_places(text)
            dropped = np.zeros(hashes.size, np.bool_)
            for _, item, coverage in hits.filter(row=row).iter_rows():
                first, last = self._item_places(hashes, item, index, weight)
                if index.phrase[item]:
                    first, last = self._answered(hashes, item, index, first, last)
                if not first.size:
                    continue
                for i, j in zip(first, last, strict=True):
                    dropped[i : j + 1] = True
                begin, end = starts[first[0]], ends[last[-1]]
                known = index.items[item]
                found.append((row, id, known.benchmark, known.id, coverage, begin, end - begin, item))
            left[row] = int((~dropped).sum())
            for i, j in _runs(dropped):
                end = ends[j - 1]
                while end < text.size and text[end] not in SPACE and (j == starts.size or end < starts[j]):
                    end += 1  # cut the question mark, too
                cuts.append((row, starts[i], end - starts[i]))
        frame = pl.DataFrame(found, FOUND, orient="row")
        row, offset, length = zip(*cuts, strict=True) if cuts else ([], [], [])
        spans = spans_table(row, offset, length, ["contaminated"] * len(cuts))
        return frame, spans, self._broken(frame, left, corpus.rows[part])

    def _item_places(
        self, hashes: np.ndarray, item: int, index: EvalNgramIndex, weight: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return first and last words of places with ``threshold`` of the item's weight, or else of the best."""
        own = index.of_item.data[slice(*index.of_item.offsets[item : item + 2])]
        rest = index.rest.data[slice(*index.rest.offsets[item : item + 2])]
        grams, at = np.unique(np.concatenate((index.grams[own], rest)), return_index=True)
        shares = np.concatenate((weight[own] / weight[own].sum(), np.zeros(rest.size)))[at]
        first, last, share = covered_spans(hashes, grams, shares, self.ngram, self.ngram)
        enough = share >= min(self.threshold, share.max())
        return first[enough], last[enough]

    def _answered(
        self, hashes: np.ndarray, item: int, index: EvalNgramIndex, first: np.ndarray, last: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the places of an item that have a choice or answer of it within NEAR words."""
        grams = np.unique(index.rest.data[slice(*index.rest.offsets[item : item + 2])])
        begin, end, _ = covered_spans(hashes, grams, np.zeros(grams.size), self.ngram, 0)
        near = (begin[None] <= last[:, None] + NEAR + 1) & (end[None] >= first[:, None] - NEAR - 1)
        return first[near.any(axis=1)], last[near.any(axis=1)]

    def _broken(self, found: pl.DataFrame, left: dict[int, int], rows: int) -> pl.Series:
        """Return the list of broken rules of each document."""
        if self.action == "drop":
            broken = found.group_by("row", "benchmark").agg(pl.max("coverage")).sort("row", "benchmark")
            broken = broken.select("row", rule="benchmark", value="coverage", threshold=pl.lit(self.threshold))
        else:
            few = {row: words for row, words in left.items() if self.rewrites and words < self.min_words_left}
            broken = pl.DataFrame(
                {"row": list(few), "value": list(few.values())}, {"row": pl.Int64, "value": pl.Float64}
            ).select(
                "row", pl.lit(WORDS_LEFT_TOO_LOW).alias("rule"), "value", threshold=pl.lit(float(self.min_words_left))
            )
        lists = broken.group_by("row").agg(pl.struct("rule", "value", "threshold").alias("violations"))
        every = pl.DataFrame({"row": np.arange(rows)}).join(lists, on="row", how="left", maintain_order="left")
        return every["violations"].fill_null([])


def summarize(index: EvalNgramIndex, found: pl.DataFrame) -> pl.DataFrame:
    """Return each item's benchmark, id, searchability, and documents by falling coverage: columns ITEMS."""
    held = found.sort("coverage", ID, descending=[True, False]).group_by("number", maintain_order=True)
    held = held.agg(pl.first("coverage"), pl.col(ID).alias("ids"))
    searchable = np.ones(len(index.items), np.bool_)
    searchable[index.short] = False
    every = pl.DataFrame(
        {
            "number": np.arange(len(index.items)),
            "benchmark": [item.benchmark for item in index.items],
            "item": [item.id for item in index.items],
            "searchable": searchable,
        }
    ).join(held, on="number", how="left", maintain_order="left")
    ids = pl.col("ids").fill_null([])
    return every.select(
        "benchmark", "item", "searchable", ids.list.len().cast(pl.Int64).alias("documents"), "coverage", ids
    )


@lru_cache(maxsize=4)
def _load(
    files: tuple[File, ...], fields: tuple, split: str, config: str | None, ngram: int, min_words: int
) -> EvalNgramIndex:
    return EvalNgramIndex(read_items(list(files), dict(fields), split, config), ngram, min_words)


def _grams(corpus: Corpus, part: str) -> tuple[Ragged, np.ndarray]:
    grams = Ragged.from_lists(corpus.measured(part, ["grams"])["grams"])
    return grams, corpus.keep_mask(part, grams.rows)


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """Return begin and end of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask, [0]))))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
