"""C4's rules (Raffel et al. 2020, arXiv:1910.10683, section 2.2): remove lines that are not text, then drop documents.

Our changes, each tried on web pages and books:

* Lines are unwrapped first (filters/text/lines.py): a rule on lines is one on paragraphs, headings and menu items.
* A line need not end with a terminal mark (``terminal_mark``): FineWeb found that this rule costs most and helps least.
  If it is required, the marks of all scripts count, also before closing quotes and brackets.
* A line of fewer than ``min_words`` words is removed only in a menu (menus.py): a run of at least ``min_run`` such
  lines, none of which is indented or ends a sentence. This keeps headings, answers ("Yes."), code, verse and tables.
* A line that mentions JavaScript, cookies or a privacy policy is kept; notices are removed (notices.py).
* ``[3]`` is a citation only after punctuation, as in "so it was.[3]"; ``a[3]`` is code.
* A curly bracket drops no document: half of the technical documents contain one.
"""

from typing import ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field, field_validator

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Count, Rewriter
from gristmill.filters.rules.menus import mark_menus
from gristmill.filters.rules.notices import mark_notices
from gristmill.filters.text.citations import find_citations
from gristmill.filters.text.lines import Lines, add_up, places
from gristmill.filters.text.phrases import phrase_around, phrases
from gristmill.filters.text.sentence_ends import (
    MAY_END,
    after_sentence_end,
    ends_unmarked,
    ends_with_mark,
    is_long,
)
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.steps.spans import spans_table

NOTICES = [
    "enable javascript",
    "javascript is disabled",
    "javascript is not enabled",
    "javascript is required",
    "requires javascript",
    "javascript must be enabled",
    "javascript to be enabled",
    "support javascript",
    "turn on javascript",
    "javascript aktiv",
    "javascript in ihrem browser",
    "activer javascript",
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
]
PLACEHOLDERS = ["lorem ipsum"]

KEPT, LONG_WORD, NO_TERMINAL_MARK, SHORT_LINE, NOTICE, CITATION = range(6)
REASONS = ("", "long_word", "no_terminal_mark", "short_line", "notice", "citation")
SENTENCES, NOTICE_HITS, PLACEHOLDER_HITS, CURLY, SQUARE = range(5)  # counts of a line


class C4(Rewriter):
    """Rule set that removes menus, notices and citations, then drops documents with few sentences or placeholders."""

    NAME: ClassVar[str] = "c4"
    CUTS_LINES: ClassVar[bool] = True
    MEASURED: ClassVar[tuple[str, ...]] = (
        *("variant", "terminal_mark", "min_words", "min_run", "max_word_length", "notices", "placeholders"),
        "citations",
    )
    RULES: ClassVar[tuple[str, ...]] = ("min_sentences", "max_placeholders", "max_curly_brackets")

    variant: Literal["gristmill"] = "gristmill"  # others: filters/rules/variants
    terminal_mark: bool = False  # remove lines that do not end a sentence
    min_words: Count = 3  # of a line
    min_run: int = Field(3, ge=1)  # short lines in a row, blank ones between them not counted, that are a menu
    max_word_length: int = Field(1000, ge=1)  # bytes; a line with a longer word is removed
    notices: list[str] = NOTICES  # phrases of notices (notices.py); lower case, ASCII
    placeholders: list[str] = PLACEHOLDERS  # phrases that max_placeholders counts; lower case, ASCII
    citations: bool = True  # remove [1], [edit], [citation needed]

    min_sentences: Count | None = 3  # TFDS's code; the paper says 5
    max_placeholders: Count | None = 0
    max_curly_brackets: Count | None = None  # the paper: 0

    @field_validator("notices", "placeholders")
    @classmethod
    def _can_be_searched(cls, terms: list[str]) -> list[str]:
        phrases(terms)
        return terms

    def rewrite(self, batch: Batch) -> tuple[pa.Table, pl.DataFrame]:
        text, lines = batch.text, batch.logical_lines
        found, long_word = self._read_lines(text.data, lines)
        reason = np.full(lines.start.size, KEPT, np.uint8)
        mark_notices(text.data, *lines[1:], found[NOTICE_HITS], NOTICE, reason)
        if self.terminal_mark:
            reason[~ends_with_mark(text.data, *lines[1:])] = NO_TERMINAL_MARK
        reason[long_word] = LONG_WORD
        mark_menus(text.data, *lines, self.min_words, self.min_run, SHORT_LINE, reason)
        brackets = found[SQUARE] * ((reason == KEPT) & self.citations)
        cited = find_citations(text.data, *lines[1:], brackets)
        kept = np.where(reason == KEPT, found, 0)
        columns = {"sentences": SENTENCES, "placeholders": PLACEHOLDER_HITS, "curly_brackets": CURLY}
        measures = {name: add_up(lines.offsets, kept[row]) for name, row in columns.items()}
        return _spans(text.offsets, lines, reason, cited), pl.DataFrame(measures)

    def _read_lines(self, data: np.ndarray, lines: Lines) -> tuple[np.ndarray, np.ndarray]:
        """Return the counts of each line, int32[5, m], and whether it contains a word that is too long, bool[m]."""
        search = phrases(self.notices + self.placeholders)
        wanted = MAY_END | (search.first < search.last)
        wanted[[*b"{["]] = True
        found, long_word = np.zeros((5, lines.start.size), np.int32), np.zeros(lines.start.size, np.bool_)
        candidates = places(data, wanted)
        _read(data, *lines[1:], candidates, search, len(self.notices), self.max_word_length, long_word, found)
        return found, long_word


def _spans(offsets: np.ndarray, lines: Lines, reason: np.ndarray, cited: tuple[np.ndarray, np.ndarray]) -> pa.Table:
    """Return the removed lines, each with its line end, and the citations in the others, as spans of the documents."""
    line_row = np.repeat(np.arange(offsets.size - 1), np.diff(lines.offsets))
    dropped = np.flatnonzero(reason != KEPT)
    after = np.append(lines.start[1:], 0)  # start of the next line, or end of the document
    last = lines.offsets[1:][np.diff(lines.offsets) > 0] - 1
    after[last] = offsets[line_row[last] + 1]
    start = np.concatenate((lines.start[dropped], cited[0]))
    length = np.concatenate((after[dropped] - lines.start[dropped], cited[1]))
    code = np.concatenate((reason[dropped], np.full(cited[0].size, CITATION, np.uint8)))
    order = np.argsort(start, kind="stable")
    row = np.searchsorted(offsets, start, "right")[order] - 1
    return spans_table(row, start[order] - offsets[row], length[order], pa.array(REASONS).take(pa.array(code[order])))


@kernel
def _read(data, start, end, candidates, search, known, max_word, long_word, counts):
    """Fill ``long_word`` bool[m] and ``counts`` int32[5, m] of the lines.

    Phrases numbered below ``known`` are notices, the others placeholders. ``candidates`` are all bytes at which a
    sentence may end, a phrase may be anchored or a bracket stands.
    """
    s = 0
    for j in range(start.size):
        sentences = notices = placeholders = curly = square = 0
        sentence, stop = np.int64(start[j]), np.int64(end[j])
        while s < candidates.size and candidates[s] < stop:
            at = np.int64(candidates[s])
            s += 1
            byte = data[at]
            if MAY_END[byte] and at >= sentence:
                over = after_sentence_end(data, sentence, at, stop)
                sentences += over > 0
                sentence = max(sentence, over)
            curly += byte == 0x7B
            square += byte == 0x5B
            if search.first[byte] < search.last[byte]:
                number = phrase_around(data, at, start[j], stop, search)
                notices += 0 <= number < known
                placeholders += number >= known
        sentences += ends_unmarked(data, sentence, stop)
        sentences += sentences == 0 and is_long(data, start[j], stop)
        counts[SENTENCES, j], counts[NOTICE_HITS, j], counts[PLACEHOLDER_HITS, j] = sentences, notices, placeholders
        counts[CURLY, j], counts[SQUARE, j] = curly, square
        long_word[j] = stop - start[j] > max_word and _longest_word(data, start[j], stop) > max_word


@kernel
def _longest_word(data, start, end):
    """Return the bytes of a line's longest run without a space or a character of three bytes or more.

    Scripts with such characters use few spaces.
    """
    longest, word = 0, start
    for at in range(start, end):
        if data[at] <= 0x20 or data[at] >= 0xE0:
            longest, word = max(longest, at - word), at + 1
    return max(longest, end - word)
