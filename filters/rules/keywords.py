"""Keyword filter: counts the terms of word lists."""

from functools import cache
from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import field_validator

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import LANGUAGE, Count, Filter, Ratio
from gristmill.filters.core.percentiles import ALL_LANGUAGES
from gristmill.filters.langid.labels import UNKNOWN
from gristmill.filters.text.aho_corasick import Automaton, build, folded, search
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.storage.files import checksum, to_path


class Keywords(Filter):
    """Rule set that drops documents with too many terms of word lists: bad words, spam, or any other list.

    A list is a UTF-8 text file with one term per line, like those of LDNOOBW
    (https://github.com/LDNOOBW/List-of-Dirty-Naughty-Obscene-and-Otherwise-Bad-Words). Gristmill ships none: C4's list
    of 2020 removed many harmless documents (Dodge et al. 2021, arXiv:2104.08758). For the same reason the default rule
    limits the density of hits, not their number.

    Case and the amount of white space are ignored. A term must not be part of a longer word, except in Chinese,
    Japanese, Thai and other scripts without spaces.
    """

    NAME: ClassVar[str] = "keywords"
    NEEDS: ClassVar[tuple[str, ...]] = (LANGUAGE,)
    MEASURED: ClassVar[tuple[str, ...]] = ("lists",)
    RULES: ClassVar[tuple[str, ...]] = ("max_hits", "max_distinct", "max_density")

    lists: dict[str, str] = {}  # file by label of the language step; "*": for all documents
    max_hits: Count | None = None  # occurrences, overlapping ones included; C4: 0
    max_distinct: Count | None = None  # different terms
    max_density: Ratio | None = 0.01  # hits per word

    @field_validator("lists")
    @classmethod
    def _readable(cls, lists):
        for path in lists.values():
            try:
                read_terms(path)
            except InputError as error:
                raise ValueError(str(error)) from None
        return lists

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return ``hits``, ``distinct`` terms and ``density``, hits per word; a document without words has 0 in each.

        If its language has no list, a document is searched only with the list for all documents.
        """
        n = batch.text.rows
        hits, distinct = np.zeros((2, n), np.int64)
        language = np.full(n, UNKNOWN) if batch.language is None else batch.language.astype(str)
        for label in np.unique(language):
            paths = tuple(self.lists[key] for key in (label, ALL_LANGUAGES) if key in self.lists)
            if paths:
                rows = np.flatnonzero(language == label)
                hits[rows], distinct[rows] = search(batch.text, rows, automaton(paths))
        words = np.diff(batch.words.offsets)
        return pl.DataFrame({"hits": hits, "distinct": distinct, "density": hits / words.clip(min=1)})

    def measured_settings(self) -> dict:
        """Return the settings that the measures depend on, with checksums of the lists."""
        checksums = {language: checksum(to_path(path)) for language, path in self.lists.items()}
        return {**super().measured_settings(), "checksums": checksums}


@cache
def automaton(paths: tuple[str, ...]) -> Automaton:
    """Return the automaton of the terms of these files, which each process reads once."""
    return build(list(dict.fromkeys(term for path in paths for term in read_terms(path))))


def read_terms(path: str) -> list[str]:
    """Return the distinct terms of a word list, folded. Raises InputError if it is missing, not UTF-8 or empty."""
    try:
        lines = to_path(path).read_bytes().decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the word list {path}: {error}") from None
    terms = list(dict.fromkeys(filter(None, map(folded, lines))))
    if not terms:
        raise InputError(f"the word list {path} holds no term; expected one per line")
    return terms
