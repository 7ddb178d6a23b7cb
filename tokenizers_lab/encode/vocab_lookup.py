"""Whole-vocabulary lookup: pre-tokens that are one id whatever the merges say (Hugging Face's ``ignore_merges``)."""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.hashing import hash_word
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged

NONE = -1


class VocabLookup(NamedTuple):
    """Hash table from the bytes of a piece to its id."""

    offsets: np.ndarray
    text: np.ndarray
    ids: np.ndarray  # int32
    slots: np.ndarray  # int32[2 ** k]: hash table of rows

    @classmethod
    def from_dict(cls, pieces: dict[bytes, int]) -> "VocabLookup":
        """Build the table from piece -> id."""
        texts = Ragged.from_strings([*pieces])
        return cls(*texts, np.array([*pieces.values()], np.int32), _slots(*texts))


@allocating_kernel
def _slots(offsets, data):
    """Return the slots of a hash table of the rows: int32[2 ** k], NONE if free."""
    size = 16
    while size < 2 * offsets.size:
        size *= 2
    slots = np.full(size, NONE, np.int32)
    for row in range(offsets.size - 1):
        slot = np.int64(hash_word(data, offsets[row], offsets[row + 1]) & np.uint64(size - 1))
        while slots[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        slots[slot] = row
    return slots


@inline_kernel
def same(data, at, size, text, begin, stop):
    """True if ``data[at:at + size]`` equals ``text[begin:stop]``."""
    if stop - begin != size:
        return False
    for i in range(size):
        if data[at + i] != text[begin + i]:
            return False
    return True


@kernel
def lookup(data, at, end, vocab):
    """Return the id of the piece ``data[at:end]``, or NONE."""
    offsets, text, ids, slots = vocab
    mask = slots.size - 1
    slot = np.int64(hash_word(data, at, end) & np.uint64(mask))
    while slots[slot] >= 0:
        row = slots[slot]
        if same(data, at, end - at, text, offsets[row], offsets[row + 1]):
            return np.int64(ids[row])
        slot = (slot + 1) & mask
    return np.int64(NONE)
