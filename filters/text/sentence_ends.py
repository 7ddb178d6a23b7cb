"""Sentence ends in every script: terminal marks, and the closing marks that may follow them.

Marks are those of Unicode's Sentence_Break, and the Tibetan shads. Invisible and combining characters after a mark are
skipped. Marks with only blanks between them (". . .", the two shads of Tibetan) are one sentence end.

Three scripts also use a mark of another meaning: Armenian ":", Greek ";", and two word separators in Ethiopic. They
count if the REACH characters before them contain SCRIPT_LETTERS of the script.

Thai and Lao have no marks. There a sentence ends before a space, or at the end of a line, after UNMARKED_LETTERS
letters and vowel signs: longer than the items of a menu, as long as a phrase. In the Universal Declaration of Human
Rights, which has 213 lines in English, this finds 183 ends in Thai and 170 in Lao.

Some texts have no marks in any script: the Syriac Bible, notes of an almanac. For rules that count sentences, a line
without an end is one if it has LONG_LINE words: more than headings and items, fewer than paragraphs.
"""

import numpy as np

from gristmill.filters.text.lines import NOT_ASCII, trimmed
from gristmill.filters.text.sentence_kinds import BLANK, CLOSER, CONTEXT, SKIPPED, TERMINAL, WIDE_TERMINAL
from gristmill.filters.text.sentence_table import KINDS
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, load_u64
from gristmill.pipelines.kernels.utf8 import decode, expand_runs, two_level_table

FIRST_UNMARKED, LAST_UNMARKED = 0xE01, 0xEFF  # Thai and Lao
UNMARKED_LETTERS = 24
SCRIPT_LETTERS = 2
REACH = 96  # characters before a mark in which its script is looked for
LONG_LINE = 12  # words
MAX_MARKS = 64  # looked at in a row, so that a line of them takes linear time

KIND_OF = expand_runs(KINDS, np.uint8)
KIND_BLOCK, KIND = two_level_table(KIND_OF)
MARKS = np.flatnonzero(np.isin(KIND_OF, (TERMINAL, WIDE_TERMINAL, CONTEXT)))
MAY_END = np.zeros(256, np.bool_)  # first bytes of characters that may end a sentence: only these need decoding
MAY_END[[chr(code).encode()[0] for code in (*MARKS, FIRST_UNMARKED)]] = True


@inline_kernel
def is_one_of(key, keys):
    found = False
    for each in keys:
        found |= key == each
    return found


@inline_kernel
def mark_kind(code):
    return KIND[KIND_BLOCK[code >> 8] * 256 + (code & 255)]


@kernel
def before(data, start, at):
    """Return the start of the character that ends at ``at``."""
    at -= 1
    while at > start and data[at] & 0xC0 == 0x80:
        at -= 1
    return at


@kernel
def has_letters(data, start, at, first, last, least):
    """True if the REACH characters before ``at`` contain ``least`` from ``first`` to ``last``."""
    found, left = 0, REACH
    while left > 0 and at > start and found < least:
        if left >= 8 and at - start >= 8 and load_u64(data, at - 8) & NOT_ASCII == 0:
            at, left = at - 8, left - 8
            continue
        at, left = before(data, start, at), left - 1
        if data[at] >= 0x80:
            found += first <= decode(data, at, data.size)[0] <= last
    return found == least


@kernel
def is_unmarked_end(data, start, at):
    """True if ``data[start:at]`` has enough Thai or Lao to be a sentence."""
    return has_letters(data, start, at, FIRST_UNMARKED, LAST_UNMARKED, UNMARKED_LETTERS)


@kernel
def ends_in_script(data, start, at, end, code):
    """True if the character at ``at``, of kind CONTEXT, is a terminal mark in the script before it."""
    if code == 0x3B:
        return has_letters(data, start, at, 0x370, 0x3FF, SCRIPT_LETTERS)  # Greek
    if code == 0x3A and has_letters(data, start, at, 0x531, 0x58A, SCRIPT_LETTERS):  # Armenian
        return True
    size = 1 if code == 0x3A else 3
    doubled = _is_at(data, start, at - size, end, code) or _is_at(data, start, at + size, end, code)
    return doubled and has_letters(data, start, at, 0x1200, 0x135A, SCRIPT_LETTERS)  # Ethiopic


@inline_kernel
def _is_at(data, start, at, end, code):
    return start <= at < end and decode(data, at, end)[0] == code


@kernel
def ends_sentence(data, start, end):
    """True if ``data[start:end]``, trimmed, ends with a terminal mark and closing marks; not with "..." or "…"."""
    if ends_unmarked(data, start, end):
        return True
    at = end
    while at > start:
        last = before(data, start, at)
        code, size = decode(data, last, at)
        if size != at - last:
            return False
        kind = mark_kind(code)
        if kind == CONTEXT:
            return ends_in_script(data, start, last, end, code)
        if kind == TERMINAL or kind == WIDE_TERMINAL:
            return not (code == 0x2E and last - 2 >= start and data[last - 1] == 0x2E and data[last - 2] == 0x2E)
        if kind != CLOSER and kind != SKIPPED:
            return False
        at = last
    return False


@inline_kernel
def is_letter(code):
    return 0x61 <= code | 0x20 <= 0x7A


@inline_kernel
def is_letter_or_digit(code):
    return is_letter(code) or 0x30 <= code <= 0x39


@kernel
def after_sentence_end(data, start, at, end):
    """Return the end of the sentence whose terminal mark is at ``at``, with its closing marks; 0 if it ends none.

    ``start`` is where the sentence begins. A wide mark always ends one; others do before white space and at ``end``,
    but not in 3.14.
    """
    if data[at] < 0x80 and at + 1 < end:
        if is_letter_or_digit(data[at + 1]):
            return 0
        if is_period(data[at]) and data[at + 1] <= 0x20 and (at + 2 == end or begins_word(data[at + 2])):
            return at + 1  # ". ": nearly all of them
    code, size = decode(data, at, end)
    if FIRST_UNMARKED <= code <= LAST_UNMARKED:
        at += size
        return at if (at == end or data[at] == 0x20) and is_unmarked_end(data, start, at) else 0
    over = 0
    while True:
        stop = _after_marks(data, start, at, end)
        if stop == 0:
            return over
        over = at = stop
        while at < end and data[at] == 0x20:
            at += 1
        if at == over or at == end or not MAY_END[data[at]]:
            return over


@inline_kernel
def is_period(byte):
    return byte == 0x2E or byte == 0x21 or byte == 0x3F  # . ! ?


@inline_kernel
def begins_word(byte):
    return byte > 0x20 and not MAY_END[byte]


@kernel
def _after_marks(data, start, at, end):
    """Return the end of the marks at ``at`` if they begin with a terminal one and end a sentence, else 0."""
    ended = wide = False
    for _ in range(MAX_MARKS):
        if at == end:
            return at if ended else 0
        code, size = decode(data, at, end)
        kind = mark_kind(code)
        if kind == CONTEXT and ends_in_script(data, start, at, end, code):
            kind = TERMINAL if code < 0x80 else WIDE_TERMINAL
        if kind == TERMINAL or kind == WIDE_TERMINAL:
            ended = True
            wide |= kind == WIDE_TERMINAL
        elif not ended:
            return 0
        elif kind != CLOSER and kind != SKIPPED:
            return at if wide or kind == BLANK else 0
        at += size
    return at if wide else 0


def ends_with_mark(data: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return whether each line ends a sentence, bool[m]; True for a blank line, which separates paragraphs."""
    answer = np.ones(start.size, np.bool_)
    _end_with_mark(data, start, end, answer)
    return answer


@kernel
def _end_with_mark(data, start, end, answer):
    for j in range(start.size):
        begin, stop = trimmed(data, start[j], end[j])
        answer[j] = begin == stop or ends_sentence(data, begin, stop)


def bytes_in_sentences(data: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the bytes of each line up to its last sentence end, int32[m]; all bytes of a long line without one."""
    answer = np.zeros(start.size, np.int32)
    _find_last_end(data, start, end, answer)
    return answer


@kernel
def _find_last_end(data, start, end, answer):
    for j in range(start.size):
        begin, stop = np.int64(start[j]), np.int64(end[j])
        if ends_unmarked(data, begin, stop):
            answer[j] = stop - begin
            continue
        for at in range(stop - 1, begin - 1, -1):
            if MAY_END[data[at]]:
                over = after_sentence_end(data, begin, at, stop)
                if over:
                    answer[j] = over - begin
                    break
        if answer[j] == 0 and is_long(data, begin, stop):
            answer[j] = stop - begin


@kernel
def is_long(data, start, end):
    """True if a line has LONG_LINE words: runs that begin with a letter, and pairs of wide characters."""
    words, wide, fresh = 0, 0, True
    if end - start < 2 * LONG_LINE - 1:
        return False
    for at in range(start, end):
        byte = data[at]
        if byte <= 0x20:
            fresh = True
            continue
        words += fresh and (byte >= 0x80 or is_letter(byte))
        fresh = False
        wide += byte >= 0xE3 and byte != 0xEF
        if words + wide // 2 >= LONG_LINE:
            return True
    return False


@kernel
def ends_unmarked(data, start, end):
    """True if ``data[start:end]`` ends with Thai or Lao, or with a Latin word or number behind it, as a sentence."""
    start, end = trimmed(data, start, end)
    if start == end:
        return False
    if data[end - 1] < 0x80:
        return is_letter_or_digit(data[end - 1]) and is_unmarked_end(data, start, end)
    code = decode(data, before(data, start, end), end)[0]
    return FIRST_UNMARKED <= code <= LAST_UNMARKED and is_unmarked_end(data, start, end)
