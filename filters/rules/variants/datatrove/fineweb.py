"""FineWeb's own rules as datatrove 0.10.1 has them, and as their paper does. Against ours (filters/rules/fineweb.py):

* Lines are what lies between \\n as they are: a novel wrapped at 72 columns is a list. White space behind a line's full
  stop hides it, and so does a closing quote.
* ``char_dup_ratio`` is 0.01 in the code, 0.1 in the paper (Penedo et al. 2024, arXiv:2406.17557, section 3.6), which
  has no ``list_ratio`` and drops at its thresholds themselves. Its code counted quotes as ends of a line.
"""

from typing import ClassVar, Literal

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Filter, Rule
from gristmill.filters.rules.variants.characters import TERMINALS
from gristmill.filters.rules.variants.datatrove.repetition import repeated_parts
from gristmill.filters.words.str_compat import Parts, lengths, split_at_newlines, stripped
from gristmill.pipelines.kernels.intrinsics import kernel


class DatatroveFineWeb(Filter):
    """Drops lists, menus and pages that repeat their lines, by the lines and thresholds of datatrove."""

    NAME: ClassVar[str] = "fineweb"
    MEASURED: ClassVar[tuple[str, ...]] = ("variant", "short_line_width")
    STOPS: ClassVar[str] = TERMINALS

    variant: Literal["datatrove-0.10.1"] = "datatrove-0.10.1"
    use_profiles: bool = False
    short_line_width: int = 30  # characters; a line of no more is short

    min_line_punct_ratio: float | None = 0.12  # lines that end in a stop, of the lines that are not blank
    max_short_line_ratio: float | None = 0.67  # short lines, of the same
    max_char_dup_ratio: float | None = 0.01  # characters of lines that stood before, of all but line breaks
    max_list_ratio: float | None = 0.3  # line breaks a word

    def measure(self, batch: Batch) -> pl.DataFrame:
        """A blank document has no lines, and its ratios are 0."""
        text = batch.text
        parts = split_at_newlines(text)
        newlines = np.diff(parts.offsets) - 1
        every = lengths(text) - newlines
        black, lines, ended, short = judge_lines(text.data, parts, self.short_line_width, ending_bytes(self.STOPS))
        words = np.diff(batch.words.offsets)
        return pl.DataFrame(
            {
                "lines": lines,
                "line_punct_ratio": ended / lines.clip(1),
                "short_line_ratio": short / lines.clip(1),
                "char_dup_ratio": repeated_parts(black)[1] / every.clip(1),
                "list_ratio": newlines / words.clip(1),
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


class FineWebPaper(DatatroveFineWeb):
    """The three rules of the paper's section 3.6."""

    STOPS: ClassVar[str] = ".!?\"'"

    variant: Literal["fineweb-paper"] = "fineweb-paper"
    max_char_dup_ratio: float | None = 0.1
    max_list_ratio: float | None = None

    def rules(self) -> dict[str, Rule]:
        """As in datatrove, but what is at a threshold is dropped too."""
        at_line = {"<": "<=", ">": ">="}
        rules = super().rules()
        return {"empty": rules.pop("empty"), **{k: r._replace(breaks=at_line[r.breaks]) for k, r in rules.items()}}


def ending_bytes(marks: str) -> np.ndarray:
    """Each mark as the last bytes of a line hold it."""
    return np.array(sorted(int.from_bytes(mark.encode(), "big") for mark in marks), np.uint64)


def judge_lines(data: np.ndarray, parts: Parts, short: int, stops: np.ndarray) -> tuple[Parts, np.ndarray, ...]:
    """Lines -> those that are not blank; int64[n] each: how many, that end in a stop, no longer than ``short``."""
    offsets, counts = np.zeros_like(parts.offsets), np.zeros((3, parts.offsets.size - 1), np.int64)
    black = np.empty(parts.start.size, np.int64)
    _judge(data, parts.offsets, parts.start, parts.end, parts.length, short, stops, black, offsets, counts)
    black = black[: offsets[-1]]
    return Parts(offsets, *(column[black] for column in parts[1:])), *counts


@kernel
def _judge(data, offsets, start, end, length, short, stops, black, kept, counts):
    m = 0
    for row in range(offsets.size - 1):
        ended = n_short = 0
        for j in range(offsets[row], offsets[row + 1]):
            begin, stop = stripped(data, start[j], end[j])
            if begin == stop:
                continue
            black[m] = j
            m += 1
            ended += ends_in(data, begin, np.int64(end[j]), stops)
            n_short += length[j] <= short
        kept[row + 1] = m
        counts[0, row], counts[1, row], counts[2, row] = m - kept[row], ended, n_short


@kernel
def ends_in(data, begin, end, stops):
    """Is the last character one of the stops?"""
    last, shift = np.uint64(0), np.uint64(0)
    at = end
    while at > begin:
        at -= 1
        last |= np.uint64(data[at]) << shift
        shift += np.uint64(8)
        if data[at] & 0xC0 != 0x80 or shift == 32:
            break
    slot = np.searchsorted(stops, last)
    return slot < stops.size and stops[slot] == last
