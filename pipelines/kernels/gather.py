"""Copy spans of an array end to end."""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged


def gather_spans(data: np.ndarray, begin: np.ndarray, end: np.ndarray) -> Ragged:
    """Return the spans ``begin:end`` of the data, integers [n] each, as rows in their order. Spans may overlap."""
    begin, end = (np.ascontiguousarray(ends, np.int64) for ends in (begin, end))
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(end - begin)))
    out, source = np.empty(offsets[-1], data.dtype), data.view()
    source.flags.writeable = False  # one signature to compile
    _copy(source, begin, end, out)
    return Ragged.from_arrays(offsets, out)


def gather_rows(rows: Ragged, which: np.ndarray) -> Ragged:
    """Return some rows, numbers [n], in the order given."""
    return gather_spans(rows.data, rows.offsets[which], rows.offsets[1:][which])


@kernel
def _copy(data, begin, end, out):
    at = 0
    for i in range(begin.size):
        for k in range(begin[i], end[i]):
            out[at] = data[k]
            at += 1
