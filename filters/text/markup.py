"""Markup that was left in a text: the bytes of its tags."""

import numpy as np

from gristmill.filters.text.lines import places
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged

OPENING = np.arange(256) == ord("<")
LONGEST_TAG = 2000  # bytes; tags with scripts in their attributes are long


def tag_bytes(text: Ragged) -> np.ndarray:
    """Bytes of each document inside tags: from < and a letter, / or ! to the next >, without another < between."""
    opening = places(text.data, OPENING)
    inside = np.zeros(text.rows, np.int64)
    _markup(*text, opening, inside)
    return inside


@kernel
def _markup(offsets, data, opening, inside):
    k = 0
    for i in range(offsets.size - 1):
        size = 0
        while k < opening.size and opening[k] < offsets[i + 1]:
            at = np.int64(opening[k])
            stop = np.int64(opening[k + 1]) if k + 1 < opening.size else offsets[i + 1]
            stop = min(stop, offsets[i + 1], at + LONGEST_TAG)
            k += 1
            if at + 2 < stop and opens_tag(data[at + 1]):
                end = at + 2
                while end < stop and data[end] != 0x3E:
                    end += 1
                size += end + 1 - at if end < stop else 0
        inside[i] = size


@inline_kernel
def opens_tag(byte):
    return 0x61 <= byte | 0x20 <= 0x7A or byte == 0x2F or byte == 0x21  # a letter, / or !
