"""C4's rules (Raffel et al. 2020, arXiv:1910.10683, section 2.2): lines that are no text go, then the rest is judged.

What we changed, and why, on the pages and books we tried it on:

* Lines are unwrapped first (filters/text/lines.py): a rule on lines is one on paragraphs, headings and menu items.
* A line need not end in a terminal mark (``terminal_mark``): FineWeb found that rule to cost most and help least.
  Where it is asked for, the marks of all scripts count, and quotes and brackets may follow them.
* A line of fewer than ``min_words`` words goes only if it stands among ``min_run`` such lines, none of them indented
  or ending a sentence: so a menu goes, but a heading, an answer ("Yes.") and the brace that ends a function stay.
* A line that *speaks of* JavaScript or cookies stays; the notices of browsers and consent forms go.
* ``[3]`` is a citation only behind punctuation, as in "so it was.[3]"; ``a[3]`` is code.
* A curly bracket drops no document: half of the technical ones have one.
"""

from typing import ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import field_validator

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Rewriter, Rule
from gristmill.filters.text.citations import find_citations
from gristmill.filters.text.lines import Lines, add_up, columns, places, trimmed
from gristmill.filters.text.phrases import phrase_around, phrases
from gristmill.filters.text.sentence_ends import MAY_END, after_sentence_end, ends_sentence, ends_with_mark
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
SENTENCES, NOTICES_IN, PLACEHOLDERS_IN, CURLY, SQUARE = range(5)  # what is counted in a line
WORD_COLUMNS = 16


class C4(Rewriter):
    """Removes menus, notices and citations; then drops what holds too few sentences or a placeholder text."""

    NAME: ClassVar[str] = "c4"
    MEASURED: ClassVar[tuple[str, ...]] = (
        "variant",
        "terminal_mark",
        "min_words",
        "min_run",
        "max_word_length",
        "notices",
        "placeholders",
        "citations",
    )

    variant: Literal["gristmill"] = "gristmill"  # others: filters/variants
    terminal_mark: bool = False  # a line must end a sentence, or it goes
    min_words: int = 3  # of a line
    min_run: int = 3  # short lines in a row, blank ones between them not counted, that make a menu
    max_word_length: int = 1000  # bytes; a line with a longer word goes
    notices: list[str] = NOTICES  # a line that holds one goes; lower case, ASCII
    placeholders: list[str] = PLACEHOLDERS  # a document that keeps more than max_placeholders is dropped
    citations: bool = True  # remove [1], [edit], [citation needed]

    min_sentences: int | None = 3  # TFDS's code; the paper says 5
    max_placeholders: int | None = 0
    max_curly_brackets: int | None = None  # the paper: 0

    @field_validator("notices", "placeholders")
    @classmethod
    def _can_be_searched(cls, terms: list[str]) -> list[str]:
        phrases(terms)
        return terms

    def rules(self) -> dict[str, Rule]:
        return {
            "too_few_sentences": Rule("sentences", "<", self.min_sentences),
            "placeholder": Rule("placeholders", ">", self.max_placeholders),
            "curly_bracket": Rule("curly_brackets", ">", self.max_curly_brackets),
        }

    def rewrite(self, batch: Batch) -> tuple[pa.Table, pl.DataFrame]:
        text, lines = batch.text, batch.logical_lines
        found, long_word = self._read_lines(text.data, lines)
        reason = np.full(lines.start.size, KEPT, np.uint8)
        reason[found[NOTICES_IN] > 0] = NOTICE
        if self.terminal_mark:
            reason[~ends_with_mark(text.data, *lines[1:])] = NO_TERMINAL_MARK
        reason[long_word] = LONG_WORD
        _mark_menus(text.data, *lines, self.min_words, self.min_run, reason)
        looked_at = found[SQUARE] * ((reason == KEPT) & self.citations)
        cited = find_citations(text.data, *lines[1:], looked_at)
        kept = np.where(reason == KEPT, found, 0)
        columns = {"sentences": SENTENCES, "placeholders": PLACEHOLDERS_IN, "curly_brackets": CURLY}
        measures = {name: add_up(lines.offsets, kept[row]) for name, row in columns.items()}
        return _spans(text.offsets, lines, reason, cited), pl.DataFrame(measures)

    def _read_lines(self, data: np.ndarray, lines: Lines) -> tuple[np.ndarray, np.ndarray]:
        """int32[5, m] of counts by line, and bool[m] whether it holds a word that is too long."""
        search = phrases(self.notices + self.placeholders)
        looked_at = MAY_END | (search.first < search.last)
        looked_at[[*b"{["]] = True
        found, long_word = np.zeros((5, lines.start.size), np.int32), np.zeros(lines.start.size, np.bool_)
        seen = places(data, looked_at)
        _read(data, *lines[1:], seen, search, len(self.notices), self.max_word_length, long_word, found)
        return found, long_word


def _spans(offsets: np.ndarray, lines: Lines, reason: np.ndarray, cited: tuple[np.ndarray, np.ndarray]) -> pa.Table:
    """Removed lines, each with its line end, and the citations in the others, as spans of the documents."""
    line_row = np.repeat(np.arange(offsets.size - 1), np.diff(lines.offsets))
    gone = np.flatnonzero(reason != KEPT)
    after = np.append(lines.start[1:], 0)  # where the next line of the document begins, or the document ends
    last = lines.offsets[1:][np.diff(lines.offsets) > 0] - 1
    after[last] = offsets[line_row[last] + 1]
    start = np.concatenate((lines.start[gone], cited[0]))
    length = np.concatenate((after[gone] - lines.start[gone], cited[1]))
    code = np.concatenate((reason[gone], np.full(cited[0].size, CITATION, np.uint8)))
    order = np.argsort(start, kind="stable")
    row = np.searchsorted(offsets, start, "right")[order] - 1
    return spans_table(row, start[order] - offsets[row], length[order], np.array(REASONS, object)[code[order]])


@kernel
def _read(data, start, end, seen, search, known, max_word, long_word, counts):
    """Lines -> has each a word of over max_word bytes? and int32[5, m]: its sentences; its phrases numbered below
    ``known``, and the others; its opening curly brackets, and its square ones. ``seen`` is where all of these may be.
    """
    s = 0
    for j in range(start.size):
        sentences = notices = placeholders = curly = square = 0
        sentence, stop = np.int64(start[j]), np.int64(end[j])
        while s < seen.size and seen[s] < stop:
            at = np.int64(seen[s])
            s += 1
            byte = data[at]
            if MAY_END[byte]:
                over = after_sentence_end(data, at, stop) if at >= sentence else 0
                sentences += over > 0
                sentence = max(sentence, over)
                continue
            curly += byte == 0x7B
            square += byte == 0x5B
            number = phrase_around(data, at, start[j], stop, search)
            notices += 0 <= number < known
            placeholders += number >= known
        counts[SENTENCES, j], counts[NOTICES_IN, j], counts[PLACEHOLDERS_IN, j] = sentences, notices, placeholders
        counts[CURLY, j], counts[SQUARE, j] = curly, square
        long_word[j] = stop - start[j] > max_word and _longest_word(data, start[j], stop) > max_word


@kernel
def _longest_word(data, start, end):
    """Bytes of a line's longest run without a space. Scripts of three bytes a character have few: they end it too."""
    longest, word = 0, start
    for at in range(start, end):
        if data[at] <= 0x20 or data[at] >= 0xE0:
            longest, word = max(longest, at - word), at + 1
    return max(longest, end - word)


@kernel
def _mark_menus(data, first, start, end, min_words, min_run, reason):
    """Give SHORT_LINE to kept lines in runs of at least ``min_run`` short ones, and the blank lines inside a run."""
    for i in range(first.size - 1):
        run = short = last = 0  # the first line of the run, its short lines, and where the last of them ended
        for j in range(first[i], first[i + 1] + 1):
            if j < first[i + 1]:
                begin, stop = trimmed(data, start[j], end[j])
                if begin == stop or reason[j] != KEPT:
                    continue
                if (
                    begin == start[j]
                    and fewer_words(data, begin, stop, min_words)
                    and not ends_sentence(data, begin, stop)
                ):
                    run = j if short == 0 else run
                    short, last = short + 1, j + 1
                    continue
            if short >= min_run:
                for k in range(run, last):
                    if reason[k] == KEPT:
                        reason[k] = SHORT_LINE
            short = 0


@kernel
def fewer_words(data, start, end, min_words):
    """Has a line fewer words? Scripts without spaces have words too: one is begun by each 16 columns of a run without
    a space, and by each second character of East Asia."""
    if end - start > 4 * WORD_COLUMNS * min_words:  # whatever its characters, too wide
        return False
    words = width = 0
    for at in range(start, end + 1):
        if at == end or data[at] <= 0x20:
            words += (width + WORD_COLUMNS - 1) // WORD_COLUMNS
            width = 0
            if words >= min_words:
                return False
        else:
            step = columns(data, at, at + 1)
            width += step if step < 2 else WORD_COLUMNS // 2
    return True
