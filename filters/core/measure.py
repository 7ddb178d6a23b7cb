"""Measuring: one read of a shard measures every stale step, each over the text that the steps before it left.

A step whose measures still fit is not run again. If a later step needs its spans or the language it gave each
document, these are read from its folder.
"""

from collections.abc import Iterable
from typing import ClassVar, Protocol

import numpy as np
import polars as pl
import pyarrow as pa

from gristmill.filters.core.batch import Batch, extra_columns
from gristmill.filters.core.faults import is_own, measure_own, rewrite_own
from gristmill.filters.core.filter import LANGUAGE, Rewriter
from gristmill.pipelines.schema import COLUMN_SPANS, DOCUMENTS, ID, SPAN, SPANS, TEXT
from gristmill.pipelines.steps.spans import apply_spans, rewrite
from gristmill.pipelines.steps.step import Output, Written, input_of, inputs_of
from gristmill.pipelines.storage.shards import read_batches, read_shard, shard_schema, write_measures

Frames = dict[str, pl.DataFrame]
Tables = dict[str, pa.Table]


class Measures(Protocol):
    """A filter, or the per-document part of a step over the whole corpus."""

    PROVIDES: ClassVar[dict[str, str]]
    NEEDS: ClassVar[tuple[str, ...]]

    def measure(self, batch: Batch) -> pl.DataFrame: ...


def measure_documents(chain: dict[str, Measures], table: pa.Table, splitter: str = "unicode") -> Frames:
    """Return the measures of each step, one row per document of ``table`` (with a text column)."""
    return _measure(chain, chain, Batch.of(table, splitter), {}, {}, 0)[0]


def measure_shard(steps: dict[str, Measures], splitter: str, outputs: tuple[Output, ...]) -> list[Written]:
    """Write the measures, and the spans of rewriters, of the stale ``steps`` for one shard of documents.

    ``steps`` are those of the recipe up to the last one measured here, in order.
    """
    wanted = {output.step for output in outputs}
    cuts = {name: read_shard(each.path) for name, each in inputs_of(outputs, SPANS).items() if name not in wanted}
    labels = {
        name: read_shard(each.path, [column := steps[name].PROVIDES[LANGUAGE]])[column].to_numpy()
        for name, each in inputs_of(outputs, LANGUAGE).items()
        if name not in wanted
    }
    frames: dict[str, list[pl.DataFrame]] = {name: [] for name in wanted}
    spans: dict[str, list[pa.Table]] = {name: [] for name in wanted}
    others: dict[str, list[pa.Table]] = {name: [] for name in wanted}
    columns = sorted({column for name in wanted for column in _other_columns(steps[name])})
    first, path = 0, input_of(outputs, DOCUMENTS).path
    for table in read_batches(path, [*dict.fromkeys([ID, TEXT, *extra_columns(shard_schema(path)), *columns])]):
        batch = Batch.of(table, splitter, columns)
        mine = {name: column[first : first + table.num_rows] for name, column in labels.items()}
        measured, rewritten, elsewhere = _measure(steps, wanted, batch, cuts, mine, first)
        for name, frame in measured.items():
            frames[name].append(frame)
        for name, found in rewritten.items():
            spans[name].append(_shifted(found, first))
        for name, found in elsewhere.items():
            others[name].append(_shifted(found, first))
        first += table.num_rows
    return [_write(output, frames, others if output.kind == COLUMN_SPANS else spans) for output in outputs]


def _measure(
    steps: dict[str, Measures],
    wanted: Iterable[str],
    batch: Batch,
    cuts: Tables,
    labels: dict[str, np.ndarray],
    first: int,
) -> tuple[Frames, Tables, Tables]:
    """Return the measures of the wanted steps, and the spans of the rewriters among them in text and other columns.

    ``cuts`` are the spans that other steps left for the whole shard, in which ``first`` documents come before the
    batch. ``labels`` are the languages that other steps gave the documents of the batch.
    """
    frames, spans, others, language = {}, {}, {}, None
    for name, step in steps.items():
        if name in wanted:
            batch.language = language if LANGUAGE in step.NEEDS else None
            if isinstance(step, Rewriter):
                spans[name], frames[name] = rewrite_batch(name, step, batch)
                if step.other_columns:
                    others[name] = _rewritten(step, batch, step.rewrite_columns(batch))
                    found = np.bincount(others[name]["row"].to_numpy(), minlength=batch.text.rows)
                    frames[name] = frames[name].with_columns(column_spans=found)
                batch = batch.rewritten(rewrite(batch.text, spans[name]))
            else:
                frames[name] = measure_own(name, step, batch) if is_own(step) else step.measure(batch)
        elif name in cuts:
            batch = batch.rewritten(apply_spans(batch.text, [cuts[name]], first))
        if column := step.PROVIDES.get(LANGUAGE):
            language = frames[name][column].to_numpy() if name in frames else labels.get(name)
    return frames, spans, others


def _other_columns(step: Measures) -> list[str]:
    return step.other_columns if isinstance(step, Rewriter) else []


def rewrite_batch(name: str, step: Rewriter, batch: Batch) -> tuple[pa.Table, pl.DataFrame]:
    """Return the spans and the measures of a step, without the spans of documents that keep their text."""
    spans, measures = rewrite_own(name, step, batch) if is_own(step) else step.rewrite(batch)
    return _rewritten(step, batch, spans), measures


def _rewritten(step: Rewriter, batch: Batch, spans: pa.Table) -> pa.Table:
    """Return the spans of the documents whose profile, or whose turns, do not keep their text."""
    names, codes = np.unique(step.profile_of(batch.language, batch.text.rows).astype(str), return_inverse=True)
    rewritten = np.array([not step.for_profile(name).keeps_text for name in names], np.bool_)[codes]
    if step.CUTS_LINES:
        rewritten &= ~batch.has_roles
    return spans if rewritten.all() else spans.filter(rewritten[spans["row"].to_numpy()])


def _shifted(spans: pa.Table, rows: int) -> pa.Table:
    """Count the rows of spans from the shard's first document instead of the batch's."""
    row = spans.schema.get_field_index("row")
    return spans.set_column(row, SPAN.field("row"), pa.array(spans["row"].to_numpy() + rows))


def _write(output: Output, frames: dict[str, list], spans: dict[str, list]) -> Written:
    if output.kind in (SPANS, COLUMN_SPANS):
        table = pa.concat_tables(spans[output.step])
        counts = {"spans": table.num_rows, "bytes": int(table["length"].to_numpy().sum())}
    else:
        table = pl.concat(frames[output.step]).to_arrow()
        counts = {"documents": table.num_rows}
    write_measures(output.path, [table])
    return Written([output.path.name], counts)
