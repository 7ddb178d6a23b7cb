"""What is counted of a corpus before a tokenizer is trained on it."""

from typing import NamedTuple

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.normalize.normalizers import normalize
from gristmill.tokenizers_lab.strings.user_symbols import UserSymbols
from gristmill.tokenizers_lab.unigram.sentencepiece_seeds import mark_line_ends, split_lines


class CountSettings(NamedTuple):
    """How text becomes words."""

    pretokenizer: str
    normalizers: tuple[str, ...] = ()
    user_symbols: tuple[str, ...] = ()  # what normalizers leave alone
    excluded: tuple[str, ...] = ()  # texts that end words: neither they nor what goes across them is counted
    line_ends: bool = False  # count words that end a line excluded, with NUL behind them

    def __call__(self, text: Ragged) -> Ragged:
        """The text to cut into words."""
        text = normalize(split_lines(text) if self.line_ends else text, self.normalizers, _symbols(self.user_symbols))
        text = mark_line_ends(text) if self.line_ends else text
        return _symbols(self.excluded).text_between(text) if self.excluded else text


def _symbols(texts: tuple[str, ...]) -> UserSymbols | None:
    return UserSymbols(text.encode() for text in texts) if texts else None
