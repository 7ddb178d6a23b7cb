"""Text as input of n-gram models: lines of ids, each between ``<s>`` and ``</s>``.

Lines are logical: hard-wrapped lines are joined (filters/text/lines.py), so a paragraph is one line. Lines without
words are left out.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gristmill.filters.core.batch import Batch
from gristmill.filters.text.lines import Lines
from gristmill.pipelines.kernels.gather import gather_spans
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged

UNKNOWN, BEGIN, END = range(3)  # ids of <unk>, <s>, </s>; words follow
SPECIAL = 3

Encode = Callable[[Ragged], Ragged]  # a tokenizer: lines of text -> token ids, uint32


class UnitTokens(NamedTuple):
    """Ranges of the words (or tokens) of each line: ``offsets[j]:offsets[j + 1]`` for line j of the batch."""

    offsets: np.ndarray  # int64[lines + 1]
    documents: np.ndarray  # int64[n + 1]: the lines of each document


class TokenStream(NamedTuple):
    """Lines of documents as ``<s> id … </s>``, end to end."""

    ids: np.ndarray  # uint32[m]
    lines: np.ndarray  # int64[lines + 1]: where each begins; a line without words is empty
    documents: np.ndarray  # int64[n + 1]: the lines of each document


def words_by_line(batch: Batch) -> UnitTokens:
    """Return the words of a batch by logical line."""
    offsets = np.empty(batch.logical_lines.start.size + 1, np.int64)
    _cut(batch.words.offsets, batch.words.start, *batch.logical_lines, offsets)
    return UnitTokens(offsets, batch.logical_lines.offsets)


def text_of_lines(text: Ragged, lines: Lines) -> Ragged:
    """Return each logical line as a row, for a tokenizer."""
    return gather_spans(text.data, lines.start, lines.end)


def add_sentence_markers(units: UnitTokens, ids: np.ndarray) -> TokenStream:
    """Return the ids of the units, uint32, with ``<s>`` and ``</s>`` around each line."""
    sizes = np.diff(units.offsets)
    lines = np.concatenate(([0], np.cumsum(np.where(sizes > 0, sizes + 2, 0))))
    out = np.empty(lines[-1], np.uint32)
    _frame(units.offsets, ids, out)
    return TokenStream(out, lines, units.documents)


@kernel
def _cut(word_offsets, start, line_offsets, line_start, line_end, offsets):
    offsets[0] = 0
    for i in range(word_offsets.size - 1):
        word = word_offsets[i]
        for line in range(line_offsets[i], line_offsets[i + 1]):
            last = line + 1 == line_offsets[i + 1]
            while word < word_offsets[i + 1] and (last or start[word] < line_end[line]):
                word += 1
            offsets[line + 1] = word


@kernel
def _frame(offsets, ids, out):
    at = 0
    for line in range(offsets.size - 1):
        if offsets[line + 1] == offsets[line]:
            continue
        out[at] = BEGIN
        at += 1
        for i in range(offsets[line], offsets[line + 1]):
            out[at] = ids[i]
            at += 1
        out[at] = END
        at += 1
