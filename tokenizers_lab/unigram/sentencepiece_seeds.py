"""Seeds as SentencePiece 0.2.3 finds them, for vocabularies like its own.

SentencePiece builds a suffix array over all sentences and takes the strings that occur twice and are followed by two
different bytes. So a frequent word that the same character always follows is no seed. Pieces lie within words, so
counted words suffice if the last word of each line is counted with NUL after it (``mark_line_ends``). One difference
remains: a suffix array also meets the end of the last sentence and, beyond 500 MB, the ends of its blocks.
"""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.unigram.seeds import LINE_END, size_of


def split_lines(text: Ragged) -> Ragged:
    """Return each line as a row, without its newline."""
    return Ragged.from_arrays(*_lines(*text))


def mark_line_ends(text: Ragged) -> Ragged:
    """Return the rows that are not empty, with NUL after each."""
    return Ragged.from_arrays(*_ended(*text))


def unmark_words(words: Ragged, counts: np.ndarray) -> tuple[Ragged, np.ndarray]:
    """Return counted words without NULs; sorted words remain sorted, and a word that had both forms is one."""
    offsets, data, counts = _without_ends(*words, counts)
    return Ragged.from_arrays(offsets, data), counts


@allocating_kernel
def _lines(offsets, data):
    rows = offsets.size
    for byte in data:
        rows += byte == 10
    new_offsets, out, row, at = np.zeros(rows, np.int64), np.empty(data.size, np.uint8), 0, 0
    for document in range(offsets.size - 1):
        for i in range(offsets[document], offsets[document + 1]):
            if data[i] == 10:
                row += 1
                new_offsets[row] = at
            else:
                out[at] = data[i]
                at += 1
        row += 1
        new_offsets[row] = at
    return new_offsets[: row + 1].copy(), out[:at].copy()


@allocating_kernel
def _ended(offsets, data):
    new_offsets, out, row, at = np.zeros(offsets.size, np.int64), np.empty(data.size + offsets.size, np.uint8), 0, 0
    for i in range(offsets.size - 1):
        if offsets[i] == offsets[i + 1]:
            continue
        for k in range(offsets[i], offsets[i + 1]):
            out[at] = data[k]
            at += 1
        out[at] = LINE_END
        at, row = at + 1, row + 1
        new_offsets[row] = at
    return new_offsets[: row + 1].copy(), out[:at].copy()


@allocating_kernel
def _without_ends(offsets, data, counts):
    new_offsets, out, new_counts = np.zeros(offsets.size, np.int64), np.empty_like(data), np.zeros_like(counts)
    row, at = 0, 0
    for i in range(counts.size):
        size, ends = size_of(offsets, data, i)
        if size == 0:
            continue
        same = ends and row > 0 and at - new_offsets[row - 1] == size  # the same word without NUL is the row before
        for k in range(size):
            same = same and out[new_offsets[row - 1] + k] == data[offsets[i] + k]
        if same:
            new_counts[row - 1] += counts[i]
            continue
        for k in range(size):
            out[at] = data[offsets[i] + k]
            at += 1
        new_counts[row] = counts[i]
        row += 1
        new_offsets[row] = at
    return new_offsets[: row + 1].copy(), out[:at].copy(), new_counts[:row].copy()
