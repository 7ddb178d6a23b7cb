"""What a reader would not call text, whatever its language: our own rules, where the published ones are blind.

Each is one statement about text, with a threshold far from both sides. The figures are of novels, web pages, manuals,
source code and 90 languages on the one hand, and of planted noise on the other; percentiles of each are printed by
``python -m benchmarks.quality DATA --spread noise.MEASURE``.

few_letters      of the characters not white space, few are letters: tables of numbers, rows of symbols.
                 Noise has at most 0.2; kernel documentation 0.63 at its 5th percentile, source code 0.46.
capitals         most letters are capitals: shouting, and lists of constants.
unpronounceable  Latin letters stand in runs of five and more consonants: random keys, base64. They have 0.2 to 0.4,
                 99 % of texts under 0.07, German and Czech among them.
garbled          UTF-8 read as Latin-1 or Windows-1252 ("fÃ¼r"), replacement and control characters. Clean text: none.
markup           characters inside <tags>. Man pages, where <name> is an argument, stay below 0.15.
addresses        characters of web addresses. Lists of them have 0.9, lists of sources 0.1.
unbroken         ASCII characters in runs of over 40 without a space: keys, minified scripts, data.
few_words        of the first 250 words, the ten commonest make up nearly all: keyword stuffing has 0.9, prose 0.3.
lower_starts     behind full stops the next word is in lower case, in a text that has capitals: the order of its words
                 is lost. Shuffled words have 0.4 (German) to 1, of novels and essays 99 % less than 0.22.
lost_order       English "the" is followed by a word that no noun phrase begins with, as in "the of": the same, where
                 there is no case. Shuffled words have 0.25, texts at most 0.09.
no_sentences     little of the text stands in finished sentences: menus, lists, fragments.
"""

from typing import ClassVar

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Filter, Rule
from gristmill.filters.rules.noise_sequences import count_sequences
from gristmill.filters.text.letters import count_letters
from gristmill.filters.text.lines import add_up
from gristmill.filters.text.markup import tag_bytes
from gristmill.filters.text.sentence_ends import bytes_in_sentences

MIN_LETTERS = 100  # to tell what can be pronounced: German has single words with two clumps
MIN_CAPITALS = 0.01  # of letters, in a text that has capitals at all


class Noise(Filter):
    """Drops what is no text in any language."""

    NAME: ClassVar[str] = "noise"

    min_letters: float | None = 0.4  # of characters that are not white space
    max_capitals: float | None = 0.7  # of letters, those without case included
    max_unpronounceable: float | None = 0.15  # of the first letters; 0 for fewer than 100
    max_garbled: float | None = 0.005  # of characters that are not white space
    max_markup: float | None = 0.2  # of bytes
    max_addresses: float | None = 0.4  # of bytes of words
    max_unbroken: float | None = 0.5  # of the same
    max_top_words: float | None = 0.75  # of the first 250 words; 0 for fewer than 100
    max_lower_starts: float | None = 0.4  # of words behind a full stop; 0 for fewer than 12, or hardly any capitals
    max_lost_order: float | None = 0.12  # of the words "the"; 0 for fewer than 10
    min_sentences: float | None = 0.05  # of bytes of lines

    def measure(self, batch: Batch) -> pl.DataFrame:
        """A blank document is all letters and sentences, and its other ratios are 0."""
        text, words = batch.text, batch.words
        letters = count_letters(text)
        sequences = count_sequences(text, words)
        enough, cased = letters.sampled >= MIN_LETTERS, letters.capitals > MIN_CAPITALS * letters.letters
        size = np.diff(text.offsets)
        line_bytes = add_up(batch.logical_lines.offsets, batch.logical_lines.end - batch.logical_lines.start)
        sentences = add_up(batch.logical_lines.offsets, bytes_in_sentences(text.data, *batch.logical_lines[1:]))
        return pl.DataFrame(
            {
                "letters": _ratio(letters.letters, letters.characters, 1.0),
                "capitals": _ratio(letters.capitals, letters.letters),
                "unpronounceable": np.where(enough, _ratio(letters.clumped, letters.sampled), 0.0),
                "garbled": _ratio(letters.garbled, letters.characters),
                "markup": _ratio(tag_bytes(text), size),
                "addresses": _ratio(sequences.addresses, sequences.bytes),
                "unbroken": _ratio(sequences.unbroken, sequences.bytes),
                "top_words": _ratio(sequences.top_words, sequences.counted),
                "lower_starts": np.where(cased, _ratio(sequences.lower_starts, sequences.starts), 0.0),
                "lost_order": _ratio(sequences.lost, sequences.articles),
                "sentences": _ratio(sentences, line_bytes, 1.0),
            }
        )

    def rules(self) -> dict[str, Rule]:
        return {
            "few_letters": Rule("letters", "<", self.min_letters),
            "capitals": Rule("capitals", ">", self.max_capitals),
            "unpronounceable": Rule("unpronounceable", ">", self.max_unpronounceable),
            "garbled": Rule("garbled", ">", self.max_garbled),
            "markup": Rule("markup", ">", self.max_markup),
            "addresses": Rule("addresses", ">", self.max_addresses),
            "unbroken": Rule("unbroken", ">", self.max_unbroken),
            "few_words": Rule("top_words", ">", self.max_top_words),
            "lower_starts": Rule("lower_starts", ">", self.max_lower_starts),
            "lost_order": Rule("lost_order", ">", self.max_lost_order),
            "no_sentences": Rule("sentences", "<", self.min_sentences),
        }


def _ratio(part: np.ndarray, whole: np.ndarray, empty: float = 0.0) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), empty)
