"""Text as a model of n-grams sees it: lines of ids, each between ``<s>`` and ``</s>``.

A line is a logical one: hard-wrapped lines are joined (filters/text/lines.py), so a paragraph is one whatever its
width. Lines without a word are left out.
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

Encode = Callable[[Ragged], Ragged]  # lines of text -> their token ids, uint32: what a tokenizer gives


class UnitTokens(NamedTuple):
    """The words (or tokens) of line j of the batch are ``offsets[j]:offsets[j + 1]``."""

    offsets: np.ndarray  # int64[lines + 1]
    documents: np.ndarray  # int64[n + 1]: the lines of document i


class TokenStream(NamedTuple):
    """Every line of some documents as ``<s> id … </s>``, end to end."""

    ids: np.ndarray  # uint32[m]
    lines: np.ndarray  # int64[lines + 1]: where each begins; a line without a word takes nothing
    documents: np.ndarray  # int64[n + 1]: the lines of each document


def words_by_line(batch: Batch) -> UnitTokens:
    """The batch's words, cut at its logical lines."""
    offsets = np.empty(batch.logical_lines.start.size + 1, np.int64)
    _cut(batch.words.offsets, batch.words.start, *batch.logical_lines, offsets)
    return UnitTokens(offsets, batch.logical_lines.offsets)


def text_of_lines(text: Ragged, lines: Lines) -> Ragged:
    """Each logical line as a row of its own, for an encoder."""
    return gather_spans(text.data, lines.start, lines.end)


def add_sentence_markers(units: UnitTokens, ids: np.ndarray) -> TokenStream:
    """Ids of units, uint32, put between ``<s>`` and ``</s>`` line by line."""
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
