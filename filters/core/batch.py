"""Batch of documents, with words, lines and profiles that filters compute once and share."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gristmill.filters.core.profiles import NO_PROFILE, profile_of
from gristmill.filters.text.lines import Lines, split_lines, unwrap
from gristmill.filters.words.spacy_words import spacy_words
from gristmill.filters.words.unicode_words import unicode_words
from gristmill.filters.words.words import Words
from gristmill.pipelines.ragged import Ragged

SPLITTERS = {"unicode": unicode_words, "spacy": spacy_words}  # name in the recipe -> word splitter


@dataclass
class Batch:
    """Documents of a shard (about 8 MB of text), as the previous step left them."""

    text: Ragged
    language: np.ndarray | None = None  # str[n], ISO 639-1; None if no earlier step gives it or the step needs none
    splitter: str = "unicode"
    ids: Ragged | None = None  # for sampling; None if documents have none

    @cached_property
    def words(self) -> Words:
        """Words of every document, by the splitter that the recipe names."""
        return SPLITTERS[self.splitter](self.text)

    @cached_property
    def lines(self) -> Lines:
        """Lines of every document, before unwrapping."""
        return split_lines(self.text)

    @cached_property
    def logical_lines(self) -> Lines:
        """Lines of every document, hard-wrapped ones joined."""
        return unwrap(self.text, self.lines)

    @property
    def profile(self) -> np.ndarray:
        """Language profile of each document, object[n]; "" if no language is known."""
        if self.language is None:
            return np.full(self.text.rows, NO_PROFILE, object)
        return profile_of(self.language)

    def rewritten(self, text: Ragged) -> "Batch":
        """Return the same documents with rewritten text."""
        return Batch(text, self.language, self.splitter, self.ids)
