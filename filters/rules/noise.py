"""Noise rules: our own, for text that no reader takes for text and that the published rules keep, in any language.

Each rule measures one share, and its threshold lies far from both kinds of text: on one side novels, web pages,
manuals, source code and 90 languages, on the other planted noise. ``python -m benchmarks.quality DATA --spread
noise.MEASURE`` prints percentiles of both.

letters                    of the characters without white space: few in tables of numbers and rows of symbols. Noise
                           has at most 0.2; kernel documentation 0.63 at its 5th percentile, source code 0.46.
uppercase_letters          of the letters: many in shouting and in lists of constants.
unpronounceable            Latin letters in runs of five or more consonants: random keys, base64. Noise has 0.2 to 0.4,
                           99 % of texts less than 0.07, German and Czech included.
mojibake                   UTF-8 read as Latin-1 or Windows-1252 ("fÃ¼r"), replacement and control characters, of the
                           characters without white space. Clean text has none.
mojibake_beyond_ascii      the same, of the characters beyond ASCII. In English or Indonesian, a few quotation marks are
                           all that is lost: there, damaged text has 1, and 99.99 % of clean text less than 0.2.
markup                     bytes inside <tags>: of 16,000 pages of manuals and source files 3 have more than 0.1.
url_bytes                  of the bytes of words. Lists of URLs have 0.9, lists of sources 0.1.
long_runs                  ASCII bytes in runs of more than 40 without a space: keys, minified scripts, data.
top_words                  the ten most frequent words, of the first 250: keyword stuffing has 0.9, prose 0.3.
lowercase_sentence_starts  lower-case words after a full stop, in text with capitals: the order of the words is lost.
                           "!" and "?" do not count: in old and religious texts they stand inside sentences.
                           Shuffled words have 0.4 (German) to 1; 99 % of novels and essays have less than 0.22.
bad_the_bigrams            English "the" before a word that begins no noun phrase, as in "the of": the same sign for
                           text without case. Shuffled words have 0.25, texts at most 0.09.
sentence_bytes             bytes of finished sentences: few in menus, lists and fragments.
"""

from typing import ClassVar

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Filter, Share
from gristmill.filters.rules.noise_sequences import count_sequences
from gristmill.filters.text.letters import count_letters
from gristmill.filters.text.lines import add_up
from gristmill.filters.text.markup import tag_bytes
from gristmill.filters.text.sentence_ends import bytes_in_sentences

MIN_LETTERS = 100  # to measure pronounceability: a single German word can have two runs of consonants
MIN_MOJIBAKE = 3  # signs; one is often the only character beyond ASCII of a clean text
MIN_CAPITALS = 0.01  # of the letters, in a text that has capitals at all


class Noise(Filter):
    """Rule set that drops documents that are not text in any language."""

    NAME: ClassVar[str] = "noise"
    RULES: ClassVar[tuple[str, ...]] = (
        *("min_letters", "max_uppercase_letters", "max_unpronounceable", "max_mojibake"),
        *(
            "max_mojibake_beyond_ascii",
            "max_markup",
            "max_url_bytes",
            "max_long_runs",
            "max_top_words",
            "max_lowercase_sentence_starts",
            "max_bad_the_bigrams",
        ),
        "min_sentence_bytes",
    )

    min_letters: Share | None = 0.4  # of the characters without white space
    max_uppercase_letters: Share | None = 0.7  # of the letters, those without case included
    max_unpronounceable: Share | None = 0.15  # of the first letters; 0 for fewer than 100
    max_mojibake: Share | None = 0.005  # of the characters without white space
    max_mojibake_beyond_ascii: Share | None = 0.5  # of the characters beyond ASCII; 0 for fewer than MIN_MOJIBAKE
    max_markup: Share | None = 0.1  # of the bytes
    max_url_bytes: Share | None = 0.4  # of the bytes of words
    max_long_runs: Share | None = 0.5  # of the bytes of words
    max_top_words: Share | None = 0.75  # of the first 250 words; 0 for fewer than 100
    max_lowercase_sentence_starts: Share | None = 0.4  # of words after a full stop; 0 for fewer than 12, or no capitals
    max_bad_the_bigrams: Share | None = 0.12  # of the words "the"; 0 for fewer than 10
    min_sentence_bytes: Share | None = 0.05  # of the bytes of lines

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return the columns of RULES; a blank document has 1 in letters and sentence_bytes, 0 in the others."""
        text, lines = batch.text, batch.logical_lines
        letters, sequences = count_letters(text), count_sequences(text, batch.words)
        garbled = letters.mojibake_beyond_ascii
        enough, cased = letters.sampled >= MIN_LETTERS, letters.capitals > MIN_CAPITALS * letters.letters
        sentence_bytes = add_up(lines.offsets, bytes_in_sentences(text.data, *lines[1:]))
        starts = _ratio(sequences.lowercase_starts, sequences.sentence_starts)
        return pl.DataFrame(
            {
                "letters": _ratio(letters.letters, letters.characters, 1.0),
                "uppercase_letters": _ratio(letters.capitals, letters.letters),
                "unpronounceable": np.where(enough, _ratio(letters.in_consonant_runs, letters.sampled), 0.0),
                "mojibake": _ratio(letters.mojibake, letters.characters),
                "mojibake_beyond_ascii": np.where(
                    garbled >= MIN_MOJIBAKE, _ratio(garbled, letters.beyond_ascii), 0.0
                ).clip(max=1),
                "markup": _ratio(tag_bytes(text), np.diff(text.offsets)),
                "url_bytes": _ratio(sequences.url_bytes, sequences.word_bytes),
                "long_runs": _ratio(sequences.long_run_bytes, sequences.word_bytes),
                "top_words": _ratio(sequences.top_words, sequences.window_words),
                "lowercase_sentence_starts": np.where(cased, starts, 0.0),
                "bad_the_bigrams": _ratio(sequences.bad_the_bigrams, sequences.the_words),
                "sentence_bytes": _ratio(sentence_bytes, add_up(lines.offsets, lines.end - lines.start), 1.0),
            }
        )


def _ratio(part: np.ndarray, whole: np.ndarray, empty: float = 0.0) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), empty)
