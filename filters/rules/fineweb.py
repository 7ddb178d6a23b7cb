"""FineWeb's own quality rules (Penedo et al. 2024, arXiv:2406.17557, section 3.6), over unwrapped lines.

Our changes:

* Lines are unwrapped (filters/text/lines.py), so a novel wrapped at 72 columns is not a list.
* Sentence ends of every script count, also before closing quotes and brackets.
* Short lines are measured in columns: an East Asian character takes two. A line of Han characters without kana or
  Hangul is never short: a line of Chinese verse has 4 to 7, and the language of a quatrain is often unsure.
* Duplicate lines are compared as they are, before unwrapping. Their threshold is the paper's 0.1; the published code
  has 0.01, at which one repeated menu drops a page.
"""

from typing import ClassVar, Literal

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Count, Filter, Ratio, Share
from gristmill.filters.text.lines import columns, trimmed
from gristmill.filters.text.sentence_ends import ends_sentence
from gristmill.pipelines.kernels.hashing import hash64
from gristmill.pipelines.kernels.intrinsics import kernel


class FineWeb(Filter):
    """Rule set that drops lists, menus and pages that repeat their lines."""

    NAME: ClassVar[str] = "fineweb"
    MEASURED: ClassVar[tuple[str, ...]] = ("variant", "short_line_width")
    RULES: ClassVar[tuple[str, ...]] = (
        *("min_lines", "min_line_punct_ratio", "max_short_line_ratio", "max_char_dup_ratio", "max_list_ratio"),
    )

    variant: Literal["gristmill"] = "gristmill"  # others: filters/rules/variants
    short_line_width: Count = 30  # columns of the widest short line

    min_lines: Count | None = 1  # lines that are not blank
    min_line_punct_ratio: Share | None = 0.12  # lines that end a sentence, of the lines that are not blank
    max_short_line_ratio: Share | None = 0.67  # short lines, of the lines that are not blank
    max_char_dup_ratio: Share | None = 0.1  # bytes of duplicate lines, of the bytes of all lines
    max_list_ratio: Ratio | None = 0.3  # lines per word

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return the columns of RULES; a blank document has line_punct_ratio 1 and 0 in the others."""
        text = batch.text
        lines, ended, short = count_lines(*text[1:], *batch.logical_lines, self.short_line_width)
        duplicate, line_bytes = duplicate_line_bytes(*text[1:], *batch.lines)
        words = np.diff(batch.words.offsets)
        return pl.DataFrame(
            {
                "lines": lines,
                "line_punct_ratio": np.where(lines > 0, ended / lines.clip(1), 1.0),
                "short_line_ratio": short / lines.clip(1),
                "char_dup_ratio": duplicate / line_bytes.clip(1),
                "list_ratio": lines / words.clip(1),
            }
        )


def count_lines(data, offsets, start, end, short_width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return int64[n] each: lines that are not blank; lines that end a sentence; lines of at most ``short_width``."""
    lines, ended, short = (np.zeros(offsets.size - 1, np.int64) for _ in range(3))
    _count_lines(data, offsets, start, end, short_width, lines, ended, short)
    return lines, ended, short


@kernel
def _count_lines(data, first, start, end, short_width, lines, ended, short):
    for i in range(first.size - 1):
        n_lines = n_ended = n_short = 0
        for j in range(first[i], first[i + 1]):
            begin, stop = trimmed(data, start[j], end[j])
            if begin < stop:
                n_lines += 1
                n_ended += ends_sentence(data, begin, stop)
                narrow = stop - begin <= 4 * short_width and columns(data, begin, stop) <= short_width
                n_short += narrow and not is_chinese(data, begin, stop)
        lines[i], ended[i], short[i] = n_lines, n_ended, n_short


@kernel
def is_chinese(data, start, end):
    """True if a line has Han characters, and no kana or Hangul."""
    han = False
    for at in range(start, end):
        byte = data[at]
        if (byte == 0xE3 and at + 1 < end and 0x81 <= data[at + 1] <= 0x83) or 0xEA <= byte <= 0xED:
            return False
        han |= 0xE4 <= byte <= 0xE9
    return han


def duplicate_line_bytes(data, offsets, start, end) -> tuple[np.ndarray, np.ndarray]:
    """Return int64[n] each: bytes of the lines that occurred before in the document, and bytes of all lines.

    White space around a line does not count. Lines are compared by 64-bit hashes: among a million different lines, two
    have the same hash with probability 3e-8.
    """
    duplicate, total = np.zeros(offsets.size - 1, np.int64), np.zeros(offsets.size - 1, np.int64)
    slots = 2 << int(np.diff(offsets).max(initial=0)).bit_length()
    seen, owner = np.zeros(slots, np.uint64), np.full(slots, -1, np.int64)
    _add_duplicates(data, offsets, start, end, seen, owner, duplicate, total)
    return duplicate, total


@kernel
def _add_duplicates(data, first, start, end, seen, owner, duplicate, total):
    """``owner`` holds the document that filled a slot, so that no document clears the table."""
    for i in range(first.size - 1):
        n_duplicate = n_total = 0
        for j in range(first[i], first[i + 1]):
            begin, stop = trimmed(data, start[j], end[j])
            if begin == stop:
                continue
            key = hash64(data, begin, stop)
            slot = np.int64(key & np.uint64(seen.size - 1))
            while owner[slot] == i and seen[slot] != key:
                slot = (slot + 1) & (seen.size - 1)
            n_duplicate += (stop - begin) * (owner[slot] == i)
            n_total += stop - begin
            seen[slot], owner[slot] = key, i
        duplicate[i], total[i] = n_duplicate, n_total
