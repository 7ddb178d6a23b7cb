"""Steps that must see the whole corpus: measured shard by shard with all others, decided in one go."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from upath import UPath

from dedup.corpus import Corpus
from pipelines.decisions import survivors, write_decisions
from pipelines.schema import ID, SPAN
from pipelines.settings import Settings
from pipelines.shards import read_shard, write_shard
from pipelines.step import Output, Wrote

DECISIONS, CUTS = "decisions", "spans"  # keys of a step's outputs; those of its reports are their names


class Judged(NamedTuple):
    """What a step says of one shard."""

    part: str
    decisions: pl.DataFrame  # broken (list of {rule, value, threshold}); duplicate_of and similarity where it has them
    spans: pa.Table | None = None  # schema SPAN, of a step that rewrites
    reports: dict[str, pl.DataFrame] | None = None  # by name; what is of the whole corpus lies with its first shard


class CorpusStep(Settings):
    """A step over the corpus. Settings named in MEASURED change its measures; all others only what it decides."""

    NAME: ClassVar[str]
    MEASURED: ClassVar[tuple[str, ...]] = ()
    REPORTS: ClassVar[tuple[str, ...]] = ()  # tables it leaves beside its decisions, for people and commands

    @property
    def rewrites(self) -> bool:
        """Does it leave spans, and end a pass of the plan?"""
        return False

    def made_of(self) -> list:
        """What it decides by, beyond the corpus and its settings: checksums and the like, as JSON."""
        return []

    def measure(self, batch) -> pl.DataFrame:
        """One row a document: what deciding needs of it."""
        raise NotImplementedError

    def judge(self, corpus: Corpus, scratch: Path) -> Iterator[Judged]:
        """Every shard in turn. ``scratch`` is a folder that all workers see, to be emptied and removed."""
        raise NotImplementedError

    def measured_settings(self) -> dict:
        return {"step": self.NAME, **{key: self.model_dump(mode="json")[key] for key in self.MEASURED}}


def decide_corpus(
    step: CorpusStep,
    documents: UPath,
    measures: UPath,
    earlier: list[UPath],
    rewritten: list[UPath],
    parts: list[str],
    scratch: str,
    outputs: tuple[Output, ...],
) -> list[Wrote]:
    """Write a step's decisions, spans if it rewrites, and reports, on the documents that the steps before it left.

    ``earlier`` are the folders of those steps' decisions, ``rewritten`` of the spans of those that change text.
    """
    corpus = Corpus(documents, measures, parts, partial(survivors, earlier), rewritten)
    wrote, wanted = {}, {(output.name, output.key): output for output in outputs}
    for part, decisions, spans, reports in step.judge(corpus, Path(scratch)):
        if output := wanted.get((part, DECISIONS)):
            ids = read_shard(documents / f"{part}.parquet", [ID])[ID]
            wrote[output] = Wrote([output.path.name], write_decisions(output.path, ids, *decisions))
        if output := wanted.get((part, CUTS)):
            write_shard(output.path, [spans], SPAN)
            counts = {"spans": spans.num_rows, "bytes": int(spans["length"].to_numpy().sum())}
            wrote[output] = Wrote([output.path.name], counts)
        for name, frame in (reports or {}).items():
            if output := wanted.get((part, name)):
                table = frame.to_arrow()
                write_shard(output.path, [table], table.schema)
                wrote[output] = Wrote([output.path.name], {"rows": table.num_rows})
    return [wrote[output] for output in outputs]


def by_part(found: pl.DataFrame, corpus: Corpus, rule: str, threshold: float) -> Iterator[Judged]:
    """Duplicates (columns part, row, duplicate_of, similarity) as decisions on all documents, shard by shard."""
    fields = pl.lit(rule).alias("rule"), pl.col("similarity").alias("value"), pl.lit(threshold).alias("threshold")
    broken = pl.when(pl.col("duplicate_of").is_not_null()).then(pl.struct(fields))
    for part in corpus.parts:
        mine = found.filter(part=part).select(pl.col("row").cast(pl.Int64), "duplicate_of", "similarity")
        rows = pl.DataFrame({"row": np.arange(corpus.rows[part])}).join(
            mine, on="row", how="left", maintain_order="left"
        )
        decisions = rows.select("duplicate_of", "similarity", pl.concat_list(broken).list.drop_nulls().alias("broken"))
        yield Judged(part, decisions)
