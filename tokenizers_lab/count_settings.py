"""Settings of word counting, which precedes the training of every tokenizer."""

from typing import NamedTuple

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.normalize.normalizers import normalize
from gristmill.tokenizers_lab.strings.user_symbols import UserSymbols
from gristmill.tokenizers_lab.unigram.sentencepiece_seeds import mark_line_ends, split_lines


class CountSettings(NamedTuple):
    """Transformation of text before its words are counted."""

    pretokenizer: str
    normalizers: tuple[str, ...] = ()
    user_symbols: tuple[str, ...] = ()  # texts that are not normalized
    excluded: tuple[str, ...] = ()  # texts that end a word; neither they nor words across them are counted
    line_ends: bool = False  # count the last word of a line separately, with NUL after it

    def __call__(self, text: Ragged) -> Ragged:
        """Return the text to pre-tokenize and count."""
        text = normalize(split_lines(text) if self.line_ends else text, self.normalizers, _symbols(self.user_symbols))
        text = mark_line_ends(text) if self.line_ends else text
        return _symbols(self.excluded).text_between(text) if self.excluded else text


def _symbols(texts: tuple[str, ...]) -> UserSymbols:
    return UserSymbols(text.encode() for text in texts)
