"""C4 as datatrove 0.10.1 has it. Against ours (filters/rules/c4.py):

* Lines are those of ``str.splitlines``, stripped, and joined again by \\n: indentation and blank lines go with what
  is dropped, and a wrapped paragraph loses its last line if that is of two words.
* A line ends in ``. ? ! " '``, not in ``...``; no mark of another script ends one, and no curly quote.
* A line with "javascript" goes, and a document with ``{`` or "lorem ipsum" in a line that was not dropped before.
* Five sentences as the paper says, where the code of its authors asks for three; three words a line, where that asks
  for five. Sentences are those of spaCy, counted line by line.
* ``[3]`` is a citation everywhere, in ``a[3]`` too.

A document that is dropped keeps its text, so what drops it is part of what is measured.
"""

from typing import ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa

from gristmill.filters.core.batch import SPLITTERS, Batch
from gristmill.filters.core.decide import BREAKS
from gristmill.filters.core.filter import Rewriter, Rule
from gristmill.filters.rules.variants.characters import DECIMAL, bits_of, characters
from gristmill.filters.rules.variants.datatrove.rejoin_lines import KEPT, Cleaned, rejoin
from gristmill.filters.rules.variants.datatrove.sentences import count_sentences
from gristmill.filters.text.lines import add_up, places
from gristmill.filters.text.phrases import phrase_around, phrases
from gristmill.filters.words.str_compat import characters_in, space, stripped
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged

POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
TERMS = phrases(["lorem ipsum", "javascript", *POLICIES])
LOREM, JAVASCRIPT, POLICY, CURLY = 1, 2, 4, 8  # what a line holds
LONG_WORD, NO_TERMINAL_MARK, SHORT_LINE, OF_LOREM, OF_JAVASCRIPT, OF_CURLY, OF_POLICY = range(1, 8)  # of rejoin.REASONS
KELVIN = "\u212a".encode()  # the one character beyond ASCII that is an ASCII letter, k, in lower case
BRACKET, TERM_BYTES = np.arange(256) == ord("["), TERMS.first < TERMS.last
TERM_BYTES[ord("{")] = True
TERMINAL = np.isin(np.arange(256), [*b".?!\"'"])


class DatatroveC4(Rewriter):
    """Removes lines that are no sentences, notices and citations, then drops what has too few sentences."""

    NAME: ClassVar[str] = "c4"
    MEASURED: ClassVar[tuple[str, ...]] = (
        *("variant", "terminal_mark", "min_words", "max_word_length", "citations", "javascript", "policies"),
        *("min_sentences", "max_lorem_ipsum", "max_curly_brackets"),
    )

    variant: Literal["datatrove-0.10.1"] = "datatrove-0.10.1"
    use_profiles: bool = False

    terminal_mark: bool = True  # a line must end in one, or it goes; off in FineWeb's order
    min_words: int = 3  # of a line
    max_word_length: int = 1000  # characters; a line with a longer word goes
    citations: bool = True  # remove [1], [edit], [citation needed]
    javascript: bool = True  # a line with the word goes
    policies: bool = True  # and one that speaks of terms of use, privacy or cookies

    min_sentences: int | None = 5
    max_lorem_ipsum: int | None = 0
    max_curly_brackets: int | None = 0

    def rules(self) -> dict[str, Rule]:
        return {
            "lorem_ipsum": Rule("lorem_ipsum", ">", self.max_lorem_ipsum),  # lines with it before a curly bracket
            "curly_bracket": Rule("curly_brackets", ">", self.max_curly_brackets),
            "too_few_sentences": Rule("sentences", "<", self.min_sentences),
        }

    def rewrite(self, batch: Batch) -> tuple[pa.Table, pl.DataFrame]:
        lines, sentences = batch.lines, np.zeros(batch.lines.start.size, np.int64)
        cleaned = self._read_lines(batch)
        special = self._special(batch.text, cleaned)
        usual = np.flatnonzero(~special)
        self._judge(batch.text.data, usual, cleaned.start[usual], cleaned.end[usual], cleaned)
        usual = usual[cleaned.reason[usual] == KEPT]
        sentences[usual] = count_sentences(batch.text.data, batch.words, cleaned.start[usual], cleaned.end[usual])
        rows = np.flatnonzero(special)
        text = without_citations(batch.text.data, cleaned, rows)
        self._judge(text.data, rows, text.offsets[:-1], text.offsets[1:], cleaned)
        words = SPLITTERS[batch.splitter](text)
        counts = count_sentences(text.data, words, text.offsets[:-1], text.offsets[1:])
        sentences[rows] = np.where(cleaned.reason[rows] == KEPT, counts, 0)
        measures = self._measures(lines.offsets, cleaned.reason, sentences)
        dropped = np.zeros(batch.text.rows, np.bool_)
        for rule in self.rules().values():
            if rule.threshold is not None:
                dropped |= BREAKS[rule.breaks](measures[rule.measure], rule.threshold)
        return rejoin(batch.text, lines.offsets, cleaned, dropped), pl.DataFrame(measures)

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
        """Each line stripped, its citations, and whether its words speak against it."""
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
        """Lines that cannot be judged where they lie: with citations, and wherever "K" might be the sign of Kelvin."""
        return (np.diff(cleaned.first) > 0) | (KELVIN in text.data.tobytes())

    def _judge(self, data: np.ndarray, rows: np.ndarray, start: np.ndarray, end: np.ndarray, cleaned: Cleaned) -> None:
        """Why the lines ``rows`` go, which lie in the bytes ``start:end``, without their citations."""
        asked = LOREM * (self.max_lorem_ipsum is not None) | CURLY * (self.max_curly_brackets is not None)
        asked |= JAVASCRIPT * self.javascript | POLICY * self.policies
        lower, begin, stop = data, start, end
        if KELVIN in data.tobytes():
            lines = Ragged.from_strings(
                [data[a:b].tobytes().replace(KELVIN, b"k") for a, b in zip(start, end, strict=True)]
            )
            lower, begin, stop = lines.data, lines.offsets[:-1], lines.offsets[1:]
        held = np.zeros(rows.size, np.uint8)
        find_terms(lower, begin, stop, places(lower, TERM_BYTES), TERMS, held)
        judge_lines(data, start, end, rows, cleaned.short, held & np.uint8(asked), self.terminal_mark, cleaned.reason)


class FineWebC4(DatatroveC4):
    """C4 as FineWeb ran it: whatever mark a line ends in (Penedo et al. 2024, section 3.5)."""

    variant: Literal["fineweb-paper"] = "fineweb-paper"
    terminal_mark: bool = False


def without_citations(data: np.ndarray, cleaned: Cleaned, rows: np.ndarray) -> Ragged:
    """Some of the lines, without their citations."""
    offsets, out = np.zeros(rows.size + 1, np.int64), np.empty(data.size, np.uint8)
    cut_citations(data, rows, cleaned.start, cleaned.end, cleaned.first, cleaned.cited, offsets, out)
    return Ragged.of(offsets, out[: offsets[-1]].copy())


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
    """Lines as they lie -> stripped, whether their words are too few or one is too long, and their citations."""
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
    """What ``str.split`` makes of a line: how many words, and the characters of the longest, as far as it matters."""
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
    """Bytes of the citation that opens here, [1], [], [edit] or [citation needed]; 0 for none."""
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
    if at + word.size > end:
        return False
    for k in range(word.size):
        if data[at + k] != word[k]:
            return False
    return True


@kernel
def find_terms(data, start, end, seen, search, held):
    """What each line holds; ``seen`` is where it may."""
    s = 0
    for j in range(start.size):
        found = 0
        while s < seen.size and seen[s] < end[j]:
            at = np.int64(seen[s])
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
def judge_lines(data, start, end, rows, short, held, terminal, reason):
    """Why each line goes, in datatrove's order."""
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
    return end - begin >= 3 and data[end - 1] == 0x2E and data[end - 2] == 0x2E and data[end - 3] == 0x2E
