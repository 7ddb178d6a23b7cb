"""Keywords: how often terms of word lists occur."""

from functools import cache
from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import LANGUAGE, Filter, Rule
from gristmill.filters.langid.labels import UNKNOWN
from gristmill.filters.text.aho_corasick import Automaton, build, folded, search
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.storage.files import checksum, to_path

ALL_LANGUAGES = "*"  # the list for documents in any language


class Keywords(Filter):
    """Drop documents with too many terms of word lists: bad words, spam, anything one can list.

    A list is a text file with a term a line, UTF-8, as LDNOOBW's
    (https://github.com/LDNOOBW/List-of-Dirty-Naughty-Obscene-and-Otherwise-Bad-Words). Gristmill ships none: which
    words a corpus should lack is its maker's choice, and C4's list of 2020 took out much that was harmless
    (Dodge et al. 2021, arXiv:2104.08758). For the same reason the default rule asks how dense the hits are, not
    whether there is one.

    Upper and lower case are the same, as are one space and several. A term must not lie inside a longer word, except
    in Chinese, Japanese, Thai and other scripts without spaces, where it may lie anywhere.
    """

    NAME: ClassVar[str] = "keywords"
    NEEDS: ClassVar[tuple[str, ...]] = (LANGUAGE,)
    MEASURED: ClassVar[tuple[str, ...]] = ("lists",)

    lists: dict[str, str] = {}  # file by language label of the language step; "*": for all documents
    max_hits: int | None = Field(None, ge=0)  # occurrences, overlapping ones too; 0: a single one is too many (C4)
    max_distinct: int | None = Field(None, ge=0)  # different terms
    max_density: float | None = Field(0.01, ge=0)  # hits a word

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
        """``hits``, ``distinct`` terms and ``density``: hits a word, 0 for a document without words.

        A document in a language without a list has only the hits of the list for all, if there is one.
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

    def rules(self) -> dict[str, Rule]:
        return {
            "too_many_hits": Rule("hits", ">", self.max_hits),
            "too_many_terms": Rule("distinct", ">", self.max_distinct),
            "too_dense": Rule("density", ">", self.max_density),
        }

    def measured_settings(self) -> dict:
        """As for every filter, with what the lists say: a list that was edited is a new one."""
        checksums = {language: checksum(to_path(path)) for language, path in self.lists.items()}
        return {**super().measured_settings(), "checksums": checksums}


@cache
def automaton(paths: tuple[str, ...]) -> Automaton:
    """The terms of these files, read once a process."""
    return build(list(dict.fromkeys(term for path in paths for term in read_terms(path))))


def read_terms(path: str) -> list[str]:
    """The distinct terms of a word list, folded. Raises InputError where it is missing, not UTF-8 or empty."""
    try:
        lines = to_path(path).read_bytes().decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the word list {path}: {error}") from None
    terms = list(dict.fromkeys(filter(None, map(folded, lines))))
    if not terms:
        raise InputError(f"the word list {path} holds no term; expected one a line")
    return terms
