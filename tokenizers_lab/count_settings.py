"""What is counted of a corpus before a tokenizer is trained on it."""

from typing import NamedTuple

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.normalize.normalizers import normalize
from gristmill.tokenizers_lab.strings.user_symbols import UserSymbols
from gristmill.tokenizers_lab.unigram.sentencepiece_seeds import ended, lines_of


class CountSettings(NamedTuple):
    """How text becomes words."""

    split: str
    normalizers: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()  # what normalizers leave alone
    apart: tuple[str, ...] = ()  # texts that end words: neither they nor what goes across them is counted
    by_sentence: bool = False  # count words that end a line apart, with NUL behind them

    def __call__(self, text: Ragged) -> Ragged:
        """The text to cut into words."""
        text = normalize(lines_of(text) if self.by_sentence else text, self.normalizers, _symbols(self.symbols))
        text = ended(text) if self.by_sentence else text
        return _symbols(self.apart).without(text) if self.apart else text


def _symbols(texts: tuple[str, ...]) -> UserSymbols | None:
    return UserSymbols(text.encode() for text in texts) if texts else None
