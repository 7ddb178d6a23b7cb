"""Bound of a document that keeps its measures within a worker's memory."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gristmill.pipelines.inputs.records import RecordBatch
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.readers.context import ReadContext

# Of one document: C4 takes 150 bytes per line. 64 MB of text with more lines have 32 bytes per line or fewer.
MAX_LINES = 1 << 21


def without_too_many_lines(found: RecordBatch, piece: InputSlice, reading: ReadContext) -> RecordBatch:
    """Return the records whose text has at most MAX_LINES lines; reject all others."""
    text = found.columns[reading.settings.text]
    if not (pa.types.is_string(text.type) or pa.types.is_large_string(text.type)):
        return found
    long = np.flatnonzero(pc.greater(pc.binary_length(text), MAX_LINES).to_numpy())  # nearly always none
    lines = {row: pc.count_substring(text.slice(row, 1), "\n")[0].as_py() for row in long.tolist()}
    refused = [row for row, count in lines.items() if count > MAX_LINES]
    for row in refused:
        reading.reject(piece, int(found.numbers[row]), f"too many lines: {lines[row]:,} in one document", "")
    if not refused:
        return found
    keep = np.delete(np.arange(found.numbers.size), refused)
    return RecordBatch(found.columns.take(pa.array(keep)), found.numbers[keep])
