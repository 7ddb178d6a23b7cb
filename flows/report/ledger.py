"""Summary of the ledger, read once shard by shard: counts by source, language and rule, and documents to show."""

from typing import NamedTuple

import polars as pl

from gristmill.filters.core.filter import LANGUAGE
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, SOURCE

KEPT = "kept"  # the reason of kept documents
SAMPLES, SAMPLES_KEPT = 4, 12  # documents to show for each reason, and of kept ones
COLUMNS = [ID, SOURCE, "kept", "step", "rule", "value", "threshold", "duplicate_of", "duplicate_neighbor", "similarity"]
COLUMNS += ["bytes", "clean_bytes", "violations", "rewrites"]


class LedgerSummary(NamedTuple):
    """Sums over all documents, and documents to show."""

    sources: pl.DataFrame  # source, documents, kept, bytes, clean_bytes
    languages: pl.DataFrame  # language, and the same; empty without a language step
    alone: dict[tuple[str, str], int]  # (step, rule) -> documents that violate no other rule
    rewrites: pl.DataFrame  # step, reason, spans, bytes, documents, kept_spans, kept_documents
    chosen: pl.DataFrame  # reason, part, row, and the ledger's columns


def read_ledger(work: FinishedRun) -> LedgerSummary:
    """Summarize the ledger. Documents to show have the smallest hashes of ids. Memory: the ledger of one shard."""
    parts = [_sum(_rows(work, part)) for part in work.parts]
    sources, languages, alone, rewrites, chosen = (pl.concat(frames) for frames in zip(*parts, strict=True))
    counts = {(step, rule): n for step, rule, n in _summed(alone, ["step", "rule"]).iter_rows()}
    return LedgerSummary(
        _summed(sources, [SOURCE]).sort("bytes", SOURCE, descending=[True, False]),
        _summed(languages, [LANGUAGE]).sort("bytes", LANGUAGE, descending=[True, False]),
        counts,
        _summed(rewrites, ["step", "reason"]).sort("spans", "reason", descending=[True, False]),
        _first(chosen),
    )


def _rows(work: FinishedRun, part: str) -> pl.DataFrame:
    """Return a shard's ledger with reason, language, hash of the id, and the rows in documents/."""
    frame = work.ledger(part, COLUMNS).with_row_index("row")
    labels = work.languages(part)
    return frame.with_columns(
        (pl.lit(None, pl.String) if labels is None else labels).alias(LANGUAGE),
        pl.lit(part).alias("part"),
        pl.Series("hash", hash_rows(*Ragged.from_text(frame[ID].to_arrow()))),
        pl.when("kept").then(pl.lit(KEPT)).otherwise(pl.format("{}.{}", "step", "rule")).alias("reason"),
        pl.when("kept").then("clean_bytes").otherwise(0).alias("clean_bytes"),
    )


def _sum(frame: pl.DataFrame) -> tuple[pl.DataFrame, ...]:
    """Return one shard's part of each field of LedgerSummary."""
    sizes = [pl.len().cast(pl.Int64).alias("documents"), pl.sum("kept").cast(pl.Int64), pl.sum("bytes", "clean_bytes")]
    labeled = frame.filter(pl.col(LANGUAGE).is_not_null())
    only = frame.filter(pl.col("violations").list.len() == 1).group_by("step", "rule")
    spans = frame.select("row", "kept", "rewrites").explode("rewrites", empty_as_null=False).unnest("rewrites")
    rewrites = spans.group_by("step", "reason").agg(
        pl.sum("spans", "bytes"),
        pl.col("row").n_unique().cast(pl.Int64).alias("documents"),
        pl.col("spans").filter("kept").sum().alias("kept_spans"),
        pl.col("row").filter("kept").n_unique().cast(pl.Int64).alias("kept_documents"),
    )
    return (
        frame.group_by(SOURCE).agg(sizes),
        labeled.group_by(LANGUAGE).agg(sizes),
        only.agg(pl.len().cast(pl.Int64)),
        rewrites,
        _first(frame.drop("rewrites")),
    )


def _summed(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    return frame.group_by(keys).agg(pl.all().sum())


def _first(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the documents with the smallest hashes for each reason."""
    most = pl.when(pl.col("reason") == KEPT).then(SAMPLES_KEPT).otherwise(SAMPLES)
    ranked = frame.sort("hash", ID).with_columns(place=pl.int_range(pl.len()).over("reason"))
    return ranked.filter(pl.col("place") < most).drop("place")
