"""FineWeb's own rules, as in datatrove 0.10.1 and as in the paper. Differences from ours (filters/rules/fineweb.py):

* Lines lie between \\n: a novel wrapped at 72 columns is a list. White space or a closing quote after a full stop
  hides it.
* ``max_char_dup_ratio`` is 0.01 in the code and 0.1 in the paper (Penedo et al. 2024, arXiv:2406.17557, section 3.6).
  The paper has no ``list_ratio``, and drops documents at its thresholds too. Its code counted quotes as sentence ends.
"""

from typing import ClassVar, Literal

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Count, Ratio, Rule, Share
from gristmill.filters.rules.variants.characters import TERMINALS
from gristmill.filters.rules.variants.datatrove.repetition import repeated_parts
from gristmill.filters.rules.variants.shared import Published
from gristmill.filters.words.str_compat import Parts, lengths, split_at_newlines, stripped
from gristmill.pipelines.kernels.intrinsics import kernel


class DatatroveFineWeb(Published):
    """Rule set that drops lists, menus and pages that repeat their lines, by the lines and thresholds of datatrove."""

    NAME: ClassVar[str] = "fineweb"
    MEASURED: ClassVar[tuple[str, ...]] = ("variant", "short_line_width")
    RULES: ClassVar[tuple[str, ...]] = (
        *("min_lines", "min_line_punct_ratio", "max_short_line_ratio", "max_char_dup_ratio", "max_list_ratio"),
    )
    STOPS: ClassVar[str] = TERMINALS

    variant: Literal["datatrove-0.10.1"] = "datatrove-0.10.1"
    short_line_width: Count = 30  # characters of the longest short line

    min_lines: Count | None = 1  # lines that are not blank
    min_line_punct_ratio: Share | None = 0.12  # lines that end with a stop, of the lines that are not blank
    max_short_line_ratio: Share | None = 0.67  # short lines, of the lines that are not blank
    max_char_dup_ratio: Share | None = 0.01  # characters of duplicate lines, of all characters except line breaks
    max_list_ratio: Ratio | None = 0.3  # line breaks per word

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return the columns of RULES; an empty document has 0 in each."""
        text = batch.text
        parts = split_at_newlines(text)
        newlines = np.diff(parts.offsets) - 1
        chars = lengths(text) - newlines
        black, counts = count_lines(text.data, parts, self.short_line_width, ending_bytes(self.STOPS))
        lines, ended, short = counts
        words = np.diff(batch.words.offsets)
        return pl.DataFrame(
            {
                "lines": lines,
                "line_punct_ratio": ended / lines.clip(1),
                "short_line_ratio": short / lines.clip(1),
                "char_dup_ratio": repeated_parts(black)[1] / chars.clip(1),
                "list_ratio": newlines / words.clip(1),
            }
        )


class FineWebPaper(DatatroveFineWeb):
    """The three rules of the paper's section 3.6."""

    STOPS: ClassVar[str] = ".!?\"'"

    variant: Literal["fineweb-paper"] = "fineweb-paper"  # type: ignore[assignment]
    max_char_dup_ratio: Share | None = 0.1
    max_list_ratio: Ratio | None = None

    def rules(self) -> dict[str, Rule]:
        """Return the rules of the code; except for min_lines, a value at the threshold breaks them too."""
        blank, *others = super().rules().values()
        return {rule.name: rule for rule in (blank, *(rule._replace(breaks=f"{rule.breaks}=") for rule in others))}


def ending_bytes(marks: str) -> np.ndarray:
    """Return the UTF-8 bytes of each mark as one number, the last byte lowest, ascending."""
    return np.array(sorted(int.from_bytes(mark.encode(), "big") for mark in marks), np.uint64)


def count_lines(data: np.ndarray, parts: Parts, short: int, stops: np.ndarray) -> tuple[Parts, np.ndarray]:
    """Return the lines that are not blank, and how many there are, end with a stop, are short: int64[3, n]."""
    offsets, counts = np.zeros_like(parts.offsets), np.zeros((3, parts.offsets.size - 1), np.int64)
    black = np.empty(parts.start.size, np.int64)
    _count_lines(data, parts.offsets, parts.start, parts.end, parts.length, short, stops, black, offsets, counts)
    black = black[: offsets[-1]]
    return Parts(offsets, *(column[black] for column in parts[1:])), counts


@kernel
def _count_lines(data, offsets, start, end, length, short, stops, black, kept, counts):
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
    """True if the last character is one of the stops."""
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
