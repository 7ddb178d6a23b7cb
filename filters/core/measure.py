"""Measure: every stale step of a chain in one read of a shard, each over the text the steps before it left."""

from typing import Protocol

import polars as pl
import pyarrow as pa
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Rewriter
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, SPAN, TEXT
from gristmill.pipelines.steps.spans import apply_spans, rewrite
from gristmill.pipelines.steps.step import Output, Written
from gristmill.pipelines.storage.shards import read_batches, read_shard, write_shard

LANGUAGE = "language"  # the step whose labels tell the later ones which profile a document has
SURE_LABEL = "confident_label"  # the column of its measures that they are in
SPANS = ".spans"  # ends the key of a rewriter's second output

Frames = dict[str, pl.DataFrame]


class Measures(Protocol):
    """A filter, or the per-document half of a step that later needs the whole corpus."""

    def measure(self, batch: Batch) -> pl.DataFrame: ...


def measure_documents(chain: dict[str, Measures], table: pa.Table, splitter: str = "unicode") -> Frames:
    """Documents (a table with a text column) -> step name -> its measures, one row a document."""
    ids = Ragged.from_text(table[ID]) if ID in table.column_names else None
    return _measure(chain, set(chain), Batch(Ragged.from_text(table[TEXT]), splitter=splitter, ids=ids))[0]


def measure_shard(
    chain: dict[str, Measures], splitter: str, shard: UPath, labels: UPath, before: list[UPath], outputs
) -> list[Written]:
    """Measure a shard of documents for the outputs asked for: step names, and ``<name>.spans`` for a rewriter's.

    ``labels`` is where the language step's measures lie if they are not among the outputs, and ``before`` the spans
    that steps before the chain cut.
    """
    wanted = {output.key.removesuffix(SPANS) for output in outputs}
    cuts = [read_shard(path) for path in before]
    known = read_shard(labels, [SURE_LABEL])[SURE_LABEL] if LANGUAGE not in wanted and labels.exists() else None
    frames, spans, first = {name: [] for name in wanted}, {name: [] for name in wanted}, 0
    for table in read_batches(shard, [ID, TEXT]):
        text = apply_spans(Ragged.from_text(table[TEXT]), cuts, first)
        labelled = None if known is None else known.slice(first, table.num_rows).to_numpy()
        measured, rewritten = _measure(chain, wanted, Batch(text, labelled, splitter, Ragged.from_text(table[ID])))
        for name in wanted:
            frames[name].append(measured[name])
            if name in rewritten:
                spans[name].append(_shifted(rewritten[name], first))
        first += table.num_rows
    return [_write(output, frames, spans) for output in outputs]


def compile_kernels(chain: dict[str, Measures], splitter: str) -> None:
    """Compile every kernel of the chain, or load it from the cache, before worker processes do the same at once."""
    text = Ragged.from_strings(["A first line, and\na second one.", "", "字"])
    _measure(chain, set(chain), Batch(text, splitter=splitter, ids=text))


def _measure(chain, wanted: set[str], batch: Batch) -> tuple[Frames, dict[str, pa.Table]]:
    frames, spans = {}, {}
    last = max(i for i, name in enumerate(chain) if name in wanted)
    for name, step in list(chain.items())[: last + 1]:
        if isinstance(step, Rewriter):  # also where its own measures are fresh: later steps see what it leaves
            spans[name], frames[name] = step.rewrite(batch)
            batch = batch.rewritten(rewrite(batch.text, spans[name]))
        elif name in wanted:
            frames[name] = step.measure(batch)
        if name == LANGUAGE and name in frames:
            batch.language = frames[name][SURE_LABEL].to_numpy()
    return {name: frames[name] for name in wanted}, spans


def _shifted(spans: pa.Table, rows: int) -> pa.Table:
    """Rows counted from the shard's first document instead of the batch's."""
    return spans.set_column(0, SPAN.field("row"), pa.array(spans["row"].to_numpy() + rows))


def _write(output: Output, frames: dict[str, list], spans: dict[str, list]) -> Written:
    if output.key.endswith(SPANS):
        table = pa.concat_tables(spans[output.key.removesuffix(SPANS)])
        counts = {"spans": table.num_rows, "bytes": int(table["length"].to_numpy().sum())}
    else:
        table = pl.concat(frames[output.key]).to_arrow()
        counts = {"documents": table.num_rows}
    write_shard(output.path, [table], table.schema)
    return Written([output.path.name], counts)
