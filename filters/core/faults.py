"""Measuring by a user's code: its result is checked, and a fault names the document, the file and the line.

A fault stops the run. With ``on_error = "reject"`` the document gets the measure ``failed``, for which it is removed by
the rule of that name, and ``fault``, the reason; its other measures are null.
"""

from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.derived_spans import changed_spans
from gristmill.filters.core.filter import Filter, Rewriter
from gristmill.filters.core.own import DocumentFilter, DocumentRewriter, Own, documents_of
from gristmill.pipelines.errors import PluginError, shown
from gristmill.pipelines.plugins import describe, plugin_of
from gristmill.pipelines.steps.spans import spans_table

FAILED, FAULT = "failed", "fault"  # measures of a step that rejects
REWRITTEN = "rewritten"  # reason of derived spans


def is_own(step: Any) -> bool:
    """True if the step is the code of a user."""
    return isinstance(step, Own) or plugin_of(type(step)) is not None


def measure_own(name: str, step: Any, batch: Batch) -> pl.DataFrame:
    """Return the measures of a step of a user, one row per document. Raises PluginError for a fault."""
    faults, bare = Faults(name, step, batch), step.without_thresholds() if isinstance(step, Own) else step
    if not isinstance(step, DocumentFilter):
        frame = _measure_batch(bare, batch, 0, faults)
        return faults.on(_checked(frame, step, faults) if isinstance(step, Filter) else frame)
    rows: list[Any] = []
    docs = documents_of(batch)
    while len(rows) < batch.text.rows:  # once, unless documents have faults
        error: Exception = StopIteration()  # of the code, as `extend` takes it for the end
        try:
            rows.extend(map(bare.measure, docs))  # keeps the rows before an error; 60 ns per document less than a loop
        except Exception as raised:
            error = raised
        if len(rows) < batch.text.rows:
            faults.add(len(rows), error)
            rows.append(None)
    return faults.on(_frame(rows, step, faults))


def rewrite_own(name: str, step: Rewriter, batch: Batch) -> tuple[pa.Table, pl.DataFrame]:
    """Return the spans and the measures of a rewriter of a user. Raises PluginError for a fault."""
    faults = Faults(name, step, batch)
    if not isinstance(step, DocumentRewriter):
        try:
            return step.rewrite(batch)
        except Exception as error:
            _measure_batch(step, batch, 0, faults)  # finds the document
            raise faults.stop(describe(error, faults.plugin)) from error
    bare, found = step.without_thresholds(), []
    changed = np.zeros(batch.text.rows)
    for row, doc in enumerate(documents_of(batch)):
        try:
            spans = changed_spans(doc.text, _utf8(bare.rewrite(doc)))
        except Exception as error:
            faults.add(row, error)
            continue
        found += [(row, *span) for span in spans]
        changed[row] = sum(length for _, length, _ in spans)
    sizes = np.diff(batch.text.offsets).clip(min=1)
    row, offset, length, text = [*map(list, zip(*found, strict=True))] or [[]] * 4
    frame = pl.DataFrame({"changed": changed / sizes})
    return spans_table(row, offset, length, [REWRITTEN] * len(row), text), faults.on(frame)


def _utf8(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"rewrite returned {shown(text)}, expected text")
    text.encode()  # raises for lone surrogates
    return text


class Faults:
    """Faults of one step in one batch: the first one stops the run, or all are kept by row."""

    def __init__(self, name: str, step: Any, batch: Batch):
        self.name, self.step, self.batch, self.plugin = name, step, batch, plugin_of(type(step))
        self.rejects = getattr(step, "on_error", "stop") == "reject"
        self.found: dict[int, str] = {}

    def add(self, row: int, fault: str | Exception) -> None:
        """Record the fault of one document. Raises PluginError if it stops the run."""
        if isinstance(fault, MemoryError):  # of the machine, not of the document
            raise fault
        if isinstance(fault, Exception):
            self._refuse_thresholds(fault)
            fault = describe(fault, self.plugin)
        if not self.rejects:
            remedy = ', or set on_error = "reject" to remove such documents' if isinstance(self.step, Own) else ""
            raise self.stop(f"on document {self._id(row)}: {fault}; correct the code{remedy}")
        self.found[row] = fault

    def _id(self, row: int) -> str:
        ids = self.batch.ids
        return "without an id" if ids is None else shown(ids.row(row).decode("utf-8", "replace"))

    def stop(self, why: str) -> PluginError:
        """Return the error that stops the run."""
        return PluginError(f"[steps.{self.name}] fails {why}")

    def _refuse_thresholds(self, error: Exception) -> None:
        """Raise PluginError if the code has read a threshold, which the copy for measuring lacks."""
        read = self.step.thresholds() if isinstance(self.step, Own) and isinstance(error, AttributeError) else []
        for setting in read:
            if f"has no attribute {setting!r}" in str(error):
                remedy = f'name it in the class: MEASURED = ("{setting}",)'
                raise self.stop(f"as measuring reads {setting}, the threshold of a rule; {remedy}") from error

    def on(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the measures, null for documents with a fault, with the columns FAILED and FAULT if they reject."""
        if not self.rejects:
            return frame
        failed = np.zeros(self.batch.text.rows, np.bool_)
        failed[[*self.found]] = True
        faults = [self.found.get(row, "") for row in range(failed.size)]
        about = pl.DataFrame({FAILED: failed.astype(np.uint8), FAULT: pl.Series(faults, dtype=pl.String)})
        return frame.select(pl.when(~pl.Series(failed)).then(pl.all())).hstack(about) if frame.width else about


def _needed(step: Filter) -> dict[str, type]:
    """Return the measures that rules compare: they are numbers."""
    return dict.fromkeys((rule.measure for rule in step.rules().values()), float)


def _frame(rows: list[Any], step: Filter, faults: Faults) -> pl.DataFrame:
    """Return the measures of all documents as columns; numbers are doubles, so that no shard's type depends on it."""
    needed = _needed(step)
    full = next((row for row in rows if isinstance(row, Mapping) and needed.keys() <= row.keys()), {})
    kinds = {str(name): str if isinstance(value, str) else float for name, value in full.items()} | needed
    columns = None if faults.found else _columns(rows, kinds)
    if columns is None:
        for row, measures in enumerate(rows):
            if row not in faults.found and (wrong := _wrong(measures, kinds)):
                faults.add(row, wrong)
        blank = {name: "" if kind is str else 0.0 for name, kind in kinds.items()}
        columns = _columns([blank if row in faults.found else each for row, each in enumerate(rows)], kinds)
    return pl.DataFrame(columns or {})


def _columns(rows: list[Any], kinds: dict[str, type]) -> dict[str, pl.Series] | None:
    """Return the columns; None if a row has other measures or values of another kind."""
    made: dict[str, pl.Series] = {}
    try:
        for name, kind in kinds.items():
            values = [row[name] for row in rows]
            if kind is str:
                made[name] = pl.Series(name, values, pl.String)
                fits = not made[name].null_count()
            else:
                numbers = np.frombuffer(array("d", values))  # refuses text and None, which numpy would convert
                made[name], fits = pl.Series(name, numbers), bool(np.isfinite(numbers).all())
            if not fits:
                return None
    except (LookupError, TypeError, ValueError, ArithmeticError):
        return None
    return made if made and all(len(row) == len(kinds) for row in rows) else None


def _wrong(measures: Any, kinds: dict[str, type]) -> str:
    """Return why one document's measures do not fit, "" if they do."""
    if not isinstance(measures, Mapping) or not measures:
        return f"measure returned {shown(measures)}, expected a dict of measures"
    if measures.keys() != kinds.keys():
        return f"it has the measures {', '.join(map(str, measures)) or 'none'}, expected {', '.join(kinds)}"
    for name, kind in kinds.items():
        if _columns([{name: measures[name]}], {name: kind}) is None:
            return f"{name} is {shown(measures[name])}, expected {'text' if kind is str else 'a finite number'}"
    return ""


def _measure_batch(step: Any, batch: Batch, first: int, faults: Faults) -> pl.DataFrame:
    """Return the measures of a batch; where the code fails, those of its halves, until a single document fails."""
    rows = batch.text.rows
    try:
        frame = step.measure(batch)
    except Exception as error:
        if rows > 1:
            cut = rows // 2
            halves = (0, cut), (cut, rows)
            frames = [_measure_batch(step, batch.part(*half), first + half[0], faults) for half in halves]
            return pl.concat(frames, how="diagonal")
        faults.add(first, error)
        return pl.DataFrame({FAILED: [1] * rows})
    if not isinstance(frame, pl.DataFrame) or frame.height != rows:
        found = f"{frame.height:,} rows" if isinstance(frame, pl.DataFrame) else shown(frame)
        raise faults.stop(f": measure returned {found}, expected a polars.DataFrame with {rows:,} rows")
    return frame


def _checked(frame: pl.DataFrame, step: Filter, faults: Faults) -> pl.DataFrame:
    """Return a batch's measures; a document without a value, or with one that is not finite, has a fault."""
    frame = frame.drop(FAILED, strict=False)
    for name in _needed(step):
        kind = frame.schema.get(name, pl.Null if faults.found else None)
        if kind is None or not (kind.is_numeric() or kind in (pl.Boolean, pl.Null)):
            found = "none of that name" if kind is None else f"a column of type {kind}"
            raise faults.stop(f": a rule compares the measure {name!r}, expected a column of numbers, found {found}")
    for name, kind in frame.schema.items():
        bad = frame[name].is_null() | (~frame[name].is_finite() if kind.is_float() else False)
        for row in bad.arg_true() if bad.any() else ():
            if row not in faults.found:
                faults.add(
                    row, f"{name} is {frame[name][row]}, expected a {'finite number' if kind.is_float() else 'value'}"
                )
    missing = [pl.lit(None, pl.Float64).alias(name) for name in _needed(step) if name not in frame.columns]
    return frame.with_columns(*missing)
