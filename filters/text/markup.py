"""Markup left in a text: the bytes of its tags."""

import numpy as np

from gristmill.filters.text.lines import places
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged

OPENING = np.arange(256) == ord("<")
MAX_TAG_BYTES = 2000  # of a tag with scripts in its attributes


def tag_bytes(text: Ragged) -> np.ndarray:
    """Return the bytes of each document inside tags: from < and a letter, / or ! to the next >, without < between."""
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
            stop = min(stop, offsets[i + 1], at + MAX_TAG_BYTES)
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
