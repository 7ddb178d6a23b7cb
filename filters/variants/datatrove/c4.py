"""C4 as datatrove 0.10.1 has it. Against ours (filters/c4.py):

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

from filters.batch import SPLITTERS, Batch
from filters.filter import Rewriter, Rule
from filters.lines import add_up, places
from filters.phrases import phrase_around, phrases
from filters.python_text import characters_in, space, stripped
from filters.variants.datatrove.characters import DECIMAL, bits_of, characters
from filters.variants.datatrove.rejoin import KEPT, Cleaned, rejoin
from filters.variants.datatrove.sentences import count_sentences
from pipelines.bits import kernel
from pipelines.ragged import Ragged
from pipelines.utf8 import decode

POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
TERMS = phrases(["lorem ipsum", "javascript", *POLICIES])
LOREM, JAVASCRIPT, POLICY, CURLY = 1, 2, 4, 8  # what a line holds
LONG_WORD, NO_TERMINAL_MARK, SHORT_LINE, OF_LOREM, OF_JAVASCRIPT, OF_CURLY, OF_POLICY = range(1, 8)
KELVIN = "\u212a".encode()  # the one character beyond ASCII that is an ASCII letter, k, in lower case
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
        lines = batch.lines
        cleaned = self._clean(batch)
        kept = cleaned.reason == KEPT
        survivors = _rows(cleaned.text, kept)
        sentences = np.zeros(kept.size, np.int64)
        sentences[kept] = count_sentences(survivors, SPLITTERS[batch.splitter](survivors))
        curly = cleaned.reason == OF_CURLY
        before = _before(lines.offsets, curly)
        measures = {
            "lorem_ipsum": add_up(lines.offsets, (cleaned.reason == OF_LOREM) & (before == 0)),
            "curly_brackets": add_up(lines.offsets, curly),
            "sentences": add_up(lines.offsets, sentences),
        }
        dropped = np.zeros(batch.text.rows, np.bool_)
        for rule in self.rules().values():
            if rule.threshold is not None:
                value = measures[rule.measure]
                dropped |= value < rule.threshold if rule.breaks == "<" else value > rule.threshold
        return rejoin(batch.text, lines.offsets, cleaned, dropped), pl.DataFrame(measures)

    def _clean(self, batch: Batch) -> Cleaned:
        """Each line stripped and without its citations, and why it goes."""
        data, lines = batch.text.data, batch.lines
        n = lines.start.size
        start, end = np.empty(n, np.int64), np.empty(n, np.int64)
        reason, words = np.zeros(n, np.uint8), np.empty(n, np.int32)
        opening = int((data == 0x5B).sum()) if self.citations else 0
        cited = np.empty((2, opening), np.int64)
        offsets, out, firsts = np.zeros(n + 1, np.int64), np.empty(data.size, np.uint8), np.zeros(n + 1, np.int64)
        places_ = (start, end, words, firsts, cited, offsets, out)
        limit = self.max_word_length
        clean_lines(data, *lines[1:], limit, LONG_WORD, self.citations, *characters(), reason, *places_)
        text = Ragged.of(offsets, out[: offsets[-1]])
        judge_lines(*text, words, self._held(text), self.terminal_mark, self.min_words, reason)
        return Cleaned(text, reason, start, end, firsts, cited[:, : firsts[-1]])

    def _held(self, text: Ragged) -> np.ndarray:
        """What each line holds, uint8[m], as far as the settings ask."""
        asked = LOREM * (self.max_lorem_ipsum is not None) | CURLY * (self.max_curly_brackets is not None)
        asked |= JAVASCRIPT * self.javascript | POLICY * self.policies
        if KELVIN in text.data.tobytes():
            text = Ragged.from_strings([text.row(i).replace(KELVIN, b"k") for i in range(text.rows)])
        wanted = TERMS.first < TERMS.last
        wanted[0x7B] = True
        held = np.zeros(text.rows, np.uint8)
        find_terms(*text, places(text.data, wanted), TERMS, held)
        return held & np.uint8(asked)


class FineWebC4(DatatroveC4):
    """C4 as FineWeb ran it: whatever mark a line ends in (Penedo et al. 2024, section 3.5)."""

    variant: Literal["fineweb-paper"] = "fineweb-paper"
    terminal_mark: bool = False


def _rows(text: Ragged, wanted: np.ndarray) -> Ragged:
    """Some rows of a text."""
    sizes = np.diff(text.offsets)
    offsets = np.concatenate(([0], np.cumsum(sizes[wanted]))).astype(np.int64)
    return Ragged.of(offsets, text.data[np.repeat(wanted, sizes)])


def _before(offsets: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """Of each line, how many of its document's lines before it are marked."""
    total = np.cumsum(marked) - marked
    first = np.repeat(offsets[:-1], np.diff(offsets))
    return total - total[first]


@kernel
def clean_lines(
    data, start, end, limit, too_long, cut, numbers, blocks, reason, begin, stop, words, first, cited, offsets, out
):
    """Lines as they lie -> stripped and written to ``out`` without the citations, whose places are noted."""
    size = n = 0
    for j in range(start.size):
        begin[j], stop[j] = stripped(data, start[j], end[j])
        words[j], longest = count_words(data, begin[j], stop[j])
        reason[j] = too_long if longest > limit else KEPT
        at = begin[j]
        while at < stop[j]:
            length = citation(data, at, stop[j], numbers, blocks) if cut and data[at] == 0x5B else 0
            if length:
                cited[0, n], cited[1, n] = at, at + length
                n += 1
                at += length
                continue
            out[size] = data[at]
            size, at = size + 1, at + 1
        first[j + 1], offsets[j + 1] = n, size


@kernel
def count_words(data, begin, end):
    """What ``str.split`` makes of a line: how many words, and the characters of the longest."""
    words, longest, at = 0, 0, begin
    while at < end:
        size = space(data, at, end)
        if size:
            at += size
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
    """Bytes of the citation that opens here, as ``\\\\[\\\\d*]|\\\\[edit]|\\\\[citation needed]`` finds it; 0 for none."""
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
def find_terms(offsets, data, seen, search, held):
    s = 0
    for j in range(offsets.size - 1):
        found = 0
        while s < seen.size and seen[s] < offsets[j + 1]:
            at = np.int64(seen[s])
            s += 1
            if data[at] == 0x7B:
                found |= CURLY
                continue
            number = phrase_around(data, at, offsets[j], offsets[j + 1], search)
            if number >= 0:
                found |= min(1 << number, POLICY)
        held[j] = found


@kernel
def judge_lines(offsets, data, words, held, terminal, min_words, reason):
    """Why each line goes, in datatrove's order."""
    for j in range(words.size):
        if reason[j] != KEPT:
            continue
        begin, end = offsets[j], offsets[j + 1]
        if terminal and not (end > begin and TERMINAL[data[end - 1]] and not is_cut_short(data, begin, end)):
            reason[j] = NO_TERMINAL_MARK
        elif words[j] < min_words:
            reason[j] = SHORT_LINE
        elif held[j] & LOREM:
            reason[j] = OF_LOREM
        elif held[j] & JAVASCRIPT:
            reason[j] = OF_JAVASCRIPT
        elif held[j] & CURLY:
            reason[j] = OF_CURLY
        elif held[j] & POLICY:
            reason[j] = OF_POLICY


@kernel
def is_cut_short(data, begin, end):
    return end - begin >= 3 and data[end - 1] == 0x2E and data[end - 2] == 0x2E and data[end - 3] == 0x2E
