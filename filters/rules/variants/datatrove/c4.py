"""C4 as in datatrove 0.10.1. Differences from ours (filters/rules/c4.py):

* Lines are those of ``str.splitlines``, stripped, and joined again with \\n: indentation and blank lines are removed
  too, and a wrapped paragraph loses its last line if that has two words.
* A line ends with ``. ? ! " '``, not with ``...``; marks of other scripts and curly quotes do not end it.
* A line with "javascript" is removed. A document with ``{`` or "lorem ipsum" in a remaining line is dropped.
* A document needs five sentences, as in the paper (the code of its authors has three). A line needs three words (five
  in that code). Sentences are those of spaCy, counted line by line.
* ``[3]`` is a citation everywhere, in ``a[3]`` too.

A dropped document keeps its text, so the thresholds are part of the measured settings.
"""

from typing import ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa

from gristmill.filters.core.batch import SPLITTERS, Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.core.filter import Count, Rewriter
from gristmill.filters.core.profiles import NO_PROFILE
from gristmill.filters.rules.variants.characters import DECIMAL, bits_of, characters
from gristmill.filters.rules.variants.datatrove.rejoin_lines import KEPT, Cleaned, rejoin
from gristmill.filters.rules.variants.datatrove.sentences import count_sentences
from gristmill.filters.rules.variants.shared import Published
from gristmill.filters.text.lines import add_up, places
from gristmill.filters.text.phrases import phrase_around, phrases
from gristmill.filters.words.str_compat import characters_in, space, stripped
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged

POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
TERMS = phrases(["lorem ipsum", "javascript", *POLICIES])
LOREM, JAVASCRIPT, POLICY, CURLY = 1, 2, 4, 8  # contents of a line
LONG_WORD, NO_TERMINAL_MARK, SHORT_LINE, OF_LOREM, OF_JAVASCRIPT, OF_CURLY, OF_POLICY = range(1, 8)  # in REASONS
KELVIN = "\u212a".encode()  # the only character outside ASCII whose lower case is an ASCII letter, k
BRACKET, TERM_BYTES = np.arange(256) == ord("["), TERMS.first < TERMS.last
TERM_BYTES[ord("{")] = True
TERMINAL = np.isin(np.arange(256), [*b".?!\"'"])


class DatatroveC4(Published, Rewriter):
    """Rule set that removes lines that are no sentence, notices and citations; drops documents with few sentences."""

    NAME: ClassVar[str] = "c4"
    CUTS_LINES: ClassVar[bool] = True
    MEASURED: ClassVar[tuple[str, ...]] = (
        *("variant", "terminal_mark", "min_words", "max_word_length", "citations", "javascript", "policies"),
        *("min_sentences", "max_lorem_ipsum", "max_curly_brackets"),
    )

    RULES: ClassVar[tuple[str, ...]] = ("max_lorem_ipsum", "max_curly_brackets", "min_sentences")

    variant: Literal["datatrove-0.10.1"] = "datatrove-0.10.1"

    terminal_mark: bool = True  # remove lines that do not end with one; off in FineWeb's order
    min_words: Count = 3  # of a line
    max_word_length: Count = 1000  # characters; a line with a longer word is removed
    citations: bool = True  # remove [1], [edit], [citation needed]
    javascript: bool = True  # remove lines with the word
    policies: bool = True  # remove lines with a phrase on terms of use, privacy or cookies

    min_sentences: Count | None = 5
    max_lorem_ipsum: Count | None = 0  # lines with it, before a line with a curly bracket
    max_curly_brackets: Count | None = 0  # lines with one

    def rewrite(self, batch: Batch) -> tuple[pa.Table, pl.DataFrame]:
        lines, sentences = batch.lines, np.zeros(batch.lines.start.size, np.int64)
        cleaned = self._read_lines(batch)
        special = self._special(batch.text, cleaned)
        plain = np.flatnonzero(~special)
        self._find_reasons(batch.text.data, plain, cleaned.start[plain], cleaned.end[plain], cleaned)
        plain = plain[cleaned.reason[plain] == KEPT]
        sentences[plain] = count_sentences(batch.text.data, batch.words, cleaned.start[plain], cleaned.end[plain])
        rows = np.flatnonzero(special)
        text = without_citations(batch.text.data, cleaned, rows)
        self._find_reasons(text.data, rows, text.offsets[:-1], text.offsets[1:], cleaned)
        words = SPLITTERS[batch.splitter](text)
        counts = count_sentences(text.data, words, text.offsets[:-1], text.offsets[1:])
        sentences[rows] = np.where(cleaned.reason[rows] == KEPT, counts, 0)
        measures = pl.DataFrame(self._measures(lines.offsets, cleaned.reason, sentences))
        dropped = decide(self, measures, np.full(batch.text.rows, NO_PROFILE)).list.len().to_numpy() > 0
        return rejoin(batch.text, lines.offsets, cleaned, dropped), measures

    def _measures(self, lines: np.ndarray, reason: np.ndarray, sentences: np.ndarray) -> dict[str, np.ndarray]:
        curly = reason == OF_CURLY
        earlier = np.cumsum(curly) - curly
        earlier -= np.repeat(np.append(earlier, 0)[lines[:-1]], np.diff(lines))
        return {
            "lorem_ipsum": add_up(lines, (reason == OF_LOREM) & (earlier == 0)),
            "curly_brackets": add_up(lines, curly),
            "sentences": add_up(lines, sentences),
        }

    def _read_lines(self, batch: Batch) -> Cleaned:
        """Return the lines stripped, their citations, and whether their words are too few or too long."""
        data, lines = batch.text.data, batch.lines
        n = lines.start.size
        brackets = places(data, BRACKET) if self.citations else np.empty(0, np.int32)
        cleaned = Cleaned(
            reason=np.zeros(n, np.uint8),
            short=np.zeros(n, np.bool_),
            start=np.empty(n, np.int64),
            end=np.empty(n, np.int64),
            first=np.zeros(n + 1, np.int64),
            cited=np.empty((2, brackets.size), np.int64),
        )
        read_lines(data, *lines[1:], brackets, self.max_word_length, self.min_words, *characters(), *cleaned)
        return cleaned

    def _special(self, text: Ragged, cleaned: Cleaned) -> np.ndarray:
        """Mark the lines that need a copy: those with citations, and all if the text contains the sign of Kelvin."""
        return (np.diff(cleaned.first) > 0) | (KELVIN in text.data.tobytes())

    def _find_reasons(self, data, rows: np.ndarray, start: np.ndarray, end: np.ndarray, cleaned: Cleaned) -> None:
        """Fill the reasons to remove the lines ``rows``, whose bytes without citations are ``data[start:end]``."""
        terms = LOREM * (self.max_lorem_ipsum is not None) | CURLY * (self.max_curly_brackets is not None)
        terms |= JAVASCRIPT * self.javascript | POLICY * self.policies
        lower, begin, stop = data, start, end
        if KELVIN in data.tobytes():
            lines = Ragged.from_strings(
                [data[a:b].tobytes().replace(KELVIN, b"k") for a, b in zip(start, end, strict=True)]
            )
            lower, begin, stop = lines.data, lines.offsets[:-1], lines.offsets[1:]
        held = np.zeros(rows.size, np.uint8)
        find_terms(lower, begin, stop, places(lower, TERM_BYTES), TERMS, held)
        held &= np.uint8(terms)
        find_reasons(data, start, end, rows, cleaned.short, held, self.terminal_mark, cleaned.reason)


class FineWebC4(DatatroveC4):
    """C4 as FineWeb ran it, without the rule on terminal marks (Penedo et al. 2024, section 3.5)."""

    variant: Literal["fineweb-paper"] = "fineweb-paper"  # type: ignore[assignment]
    terminal_mark: bool = False


def without_citations(data: np.ndarray, cleaned: Cleaned, rows: np.ndarray) -> Ragged:
    """Return the lines ``rows`` without their citations."""
    offsets, out = np.zeros(rows.size + 1, np.int64), np.empty(data.size, np.uint8)
    cut_citations(data, rows, cleaned.start, cleaned.end, cleaned.first, cleaned.cited, offsets, out)
    return Ragged.from_arrays(offsets, out[: offsets[-1]].copy())


@kernel
def cut_citations(data, rows, start, end, first, cited, offsets, out):
    size = 0
    for i in range(rows.size):
        j = rows[i]
        at = start[j]
        for k in range(first[j], first[j + 1] + 1):
            stop = end[j] if k == first[j + 1] else cited[0, k]
            for byte in range(at, stop):
                out[size] = data[byte]
                size += 1
            at = end[j] if k == first[j + 1] else cited[1, k]
        offsets[i + 1] = size


@kernel
def read_lines(data, start, end, brackets, limit, min_words, numbers, blocks, reason, short, begin, stop, first, cited):
    """Strip the lines, check the number and length of their words, and find their citations."""
    n = b = 0
    for j in range(start.size):
        begin[j], stop[j] = stripped(data, start[j], end[j])
        words, longest = count_words(data, begin[j], stop[j], min_words, limit)
        short[j] = words < min_words
        if longest > limit:
            reason[j] = LONG_WORD
        free = begin[j]
        while b < brackets.size and brackets[b] < stop[j]:
            at = np.int64(brackets[b])
            b += 1
            length = citation(data, at, stop[j], numbers, blocks) if at >= free else 0
            if length:
                cited[0, n], cited[1, n] = at, at + length
                n, free = n + 1, at + length
        first[j + 1] = n


@kernel
def count_words(data, begin, end, enough, limit):
    """Count the words of ``str.split``, up to ``enough``; return the characters of the longest if ``limit`` is near."""
    words, longest, at = 0, 0, begin
    while at < end and (words < enough or end - begin > limit):
        if space(data, at, end):
            at += space(data, at, end)
            continue
        word = at
        while at < end and not space(data, at, end):
            at += 1
        words += 1
        if at - word > longest:
            longest = max(longest, characters_in(data, word, at))
    return words, longest


WORDS = (np.frombuffer(b"edit]", np.uint8), np.frombuffer(b"citation needed]", np.uint8))


@kernel
def citation(data, at, end, numbers, blocks):
    """Return the bytes of the citation at ``at``, [1], [], [edit] or [citation needed]; 0 for none."""
    k = at + 1
    while k < end:
        if data[k] == 0x5D:
            return k + 1 - at
        code, size = decode(data, k, end)
        if bits_of(code, numbers, blocks) & DECIMAL == 0:
            break
        k += size
    for word in WORDS:
        if begins_with(data, at + 1, end, word):
            return word.size + 1
    return 0


@kernel
def begins_with(data, at, end, word):
    """True if ``data[at:end]`` begins with the bytes ``word``."""
    if at + word.size > end:
        return False
    for k in range(word.size):
        if data[at + k] != word[k]:
            return False
    return True


@kernel
def find_terms(data, start, end, candidates, search, held):
    """Fill the contents of each line; ``candidates`` are all bytes that a term or bracket may have."""
    s = 0
    for j in range(start.size):
        found = 0
        while s < candidates.size and candidates[s] < end[j]:
            at = np.int64(candidates[s])
            s += 1
            if at < start[j]:
                continue
            if data[at] == 0x7B:
                found |= CURLY
                continue
            number = phrase_around(data, at, start[j], end[j], search)
            if number >= 0:
                found |= min(1 << number, POLICY)
        held[j] = found


@kernel
def find_reasons(data, start, end, rows, short, held, terminal, reason):
    """Fill the reason to remove each line, in datatrove's order."""
    for i in range(rows.size):
        j, begin, stop = rows[i], start[i], end[i]
        if reason[j] != KEPT:
            continue
        if terminal and not (stop > begin and TERMINAL[data[stop - 1]] and not is_cut_short(data, begin, stop)):
            reason[j] = NO_TERMINAL_MARK
        elif short[j]:
            reason[j] = SHORT_LINE
        elif held[i] & LOREM:
            reason[j] = OF_LOREM
        elif held[i] & JAVASCRIPT:
            reason[j] = OF_JAVASCRIPT
        elif held[i] & CURLY:
            reason[j] = OF_CURLY
        elif held[i] & POLICY:
            reason[j] = OF_POLICY


@kernel
def is_cut_short(data, begin, end):
    """True if a line ends with three full stops."""
    return end - begin >= 3 and data[end - 1] == 0x2E and data[end - 2] == 0x2E and data[end - 3] == 0x2E
