"""Random numbers that depend only on a document's id: the same in every run, on every machine."""

import numpy as np

from gristmill.pipelines.kernels.hashing import hash64
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged


def uniform_by_id(ids: Ragged, purpose: str) -> np.ndarray:
    """Return float64[n] between 0 and 1, both excluded; numbers for different purposes are independent."""
    name = np.frombuffer(purpose.encode(), np.uint8)
    out = np.empty(ids.rows)
    _draw(*ids, np.uint64(hash64(name, 0, name.size)), out)
    return out


@kernel
def _draw(offsets, data, seed, out):
    for i in range(out.size):
        out[i] = ((hash64(data, offsets[i], offsets[i + 1], seed) >> np.uint64(11)) + 0.5) * 2.0**-53
