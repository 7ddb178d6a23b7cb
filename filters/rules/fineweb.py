"""FineWeb's own quality rules (Penedo et al. 2024, arXiv:2406.17557, section 3.6), on lines as a reader sees them.

What we changed: the ratios are taken over unwrapped lines (filters/text/lines.py), so that a novel wrapped at 72
columns is not a list; a line ends in punctuation whatever its script, closing quotes and brackets may follow; a line is
short by its width, where an East Asian character counts twice. Repeated lines are counted as they lie. The threshold of
``char_dup_ratio`` is the paper's 0.1; the published code says 0.01, where one repeated menu drops a page.
"""

from typing import ClassVar, Literal

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Filter, Rule
from gristmill.filters.text.lines import columns, trimmed
from gristmill.filters.text.sentence_ends import ends_sentence
from gristmill.pipelines.kernels.hashing import hash64
from gristmill.pipelines.kernels.intrinsics import kernel


class FineWeb(Filter):
    """Drops lists, menus and pages that repeat their lines."""

    NAME: ClassVar[str] = "fineweb"
    MEASURED: ClassVar[tuple[str, ...]] = ("variant", "short_line_width")

    variant: Literal["gristmill"] = "gristmill"  # others: filters/variants
    short_line_width: int = 30  # columns; a line of no more is short

    min_line_punct_ratio: float | None = 0.12  # lines that end a sentence, of the lines that are not blank
    max_short_line_ratio: float | None = 0.67  # short lines, of the same
    max_char_dup_ratio: float | None = 0.1  # bytes of lines that stood before, of those of all lines
    max_list_ratio: float | None = 0.3  # lines a word

    def measure(self, batch: Batch) -> pl.DataFrame:
        """A blank document has no lines, ends all of them in punctuation, and its other ratios are 0."""
        text = batch.text
        lines, ended, short = shape(*text[1:], *batch.logical_lines, self.short_line_width)
        repeated, all_bytes = repeated_lines(*text[1:], *batch.lines)
        words = np.diff(batch.words.offsets)
        return pl.DataFrame(
            {
                "lines": lines,
                "line_punct_ratio": np.where(lines > 0, ended / lines.clip(1), 1.0),
                "short_line_ratio": short / lines.clip(1),
                "char_dup_ratio": repeated / all_bytes.clip(1),
                "list_ratio": lines / words.clip(1),
            }
        )

    def rules(self) -> dict[str, Rule]:
        return {
            "empty": Rule("lines", "<", 1),
            "line_punct_ratio": Rule("line_punct_ratio", "<", self.min_line_punct_ratio),
            "short_line_ratio": Rule("short_line_ratio", ">", self.max_short_line_ratio),
            "char_dup_ratio": Rule("char_dup_ratio", ">", self.max_char_dup_ratio),
            "list_ratio": Rule("list_ratio", ">", self.max_list_ratio),
        }


def shape(data, offsets, start, end, short_width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lines -> int64[n] each: lines that are not blank; those that end a sentence; those no wider than short_width."""
    lines, ended, short = (np.zeros(offsets.size - 1, np.int64) for _ in range(3))
    _shape(data, offsets, start, end, short_width, lines, ended, short)
    return lines, ended, short


@kernel
def _shape(data, first, start, end, short_width, lines, ended, short):
    for i in range(first.size - 1):
        n_lines = n_ended = n_short = 0
        for j in range(first[i], first[i + 1]):
            begin, stop = trimmed(data, start[j], end[j])
            if begin < stop:
                n_lines += 1
                n_ended += ends_sentence(data, begin, stop)
                n_short += stop - begin <= 4 * short_width and columns(data, begin, stop) <= short_width
        lines[i], ended[i], short[i] = n_lines, n_ended, n_short


def repeated_lines(data, offsets, start, end) -> tuple[np.ndarray, np.ndarray]:
    """Lines -> int64[n] each: bytes of the lines that stood in the document before, and of all, white space around
    them not counted.

    Lines are told apart by 64 bits of hash: among a million, two that differ agree with a chance of 3e-8.
    """
    repeated, total = np.zeros(offsets.size - 1, np.int64), np.zeros(offsets.size - 1, np.int64)
    slots = 16 << int(np.diff(offsets).max(initial=0)).bit_length()
    seen, owner = np.zeros(slots, np.uint64), np.full(slots, -1, np.int64)
    _repeated(data, offsets, start, end, seen, owner, repeated, total)
    return repeated, total


@kernel
def _repeated(data, first, start, end, seen, owner, repeated, total):
    """``owner`` holds the document that filled a slot, so that the next one need not clear the table."""
    for i in range(first.size - 1):
        n_repeated = n_total = 0
        for j in range(first[i], first[i + 1]):
            begin, stop = trimmed(data, start[j], end[j])
            if begin == stop:
                continue
            key = hash64(data, begin, stop)
            slot = np.int64(key & np.uint64(seen.size - 1))
            while owner[slot] == i and seen[slot] != key:
                slot = (slot + 1) & (seen.size - 1)
            n_repeated += (stop - begin) * (owner[slot] == i)
            n_total += stop - begin
            seen[slot], owner[slot] = key, i
        repeated[i], total[i] = n_repeated, n_total
