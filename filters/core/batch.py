"""The documents a filter looks at, with what several filters need of them scanned once and shared."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gristmill.filters.core.profiles import NO_PROFILE, profile_of
from gristmill.filters.text.lines import Lines, split_lines, unwrap
from gristmill.filters.words.spacy_words import spacy_words
from gristmill.filters.words.unicode_words import unicode_words
from gristmill.filters.words.words import Words
from gristmill.pipelines.ragged import Ragged

SPLITTERS = {"unicode": unicode_words, "spacy": spacy_words}  # name in the recipe -> splitter


@dataclass
class Batch:
    """Some documents of a shard (about 8 MB of text), as the step before left them."""

    text: Ragged
    language: np.ndarray | None = None  # str[n], ISO 639-1; None if no earlier step gives it or the step needs none
    splitter: str = "unicode"
    ids: Ragged | None = None  # for what is left to chance; None where documents have none

    @cached_property
    def words(self) -> Words:
        """The words of every document, by the splitter the recipe names."""
        return SPLITTERS[self.splitter](self.text)

    @cached_property
    def lines(self) -> Lines:
        """The lines of every document as they lie."""
        return split_lines(self.text)

    @cached_property
    def logical_lines(self) -> Lines:
        """The lines of every document, hard-wrapped ones joined."""
        return unwrap(self.text, self.lines)

    @property
    def profile(self) -> np.ndarray:
        """Object[n]: the name of each document's language profile; "" where no language is known."""
        if self.language is None:
            return np.full(self.text.rows, NO_PROFILE, object)
        return profile_of(self.language)

    def rewritten(self, text: Ragged) -> "Batch":
        """The same documents after a step has rewritten their text."""
        return Batch(text, self.language, self.splitter, self.ids)
