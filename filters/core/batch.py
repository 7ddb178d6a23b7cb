"""Batch of documents, with words and lines that filters compute once and share."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gristmill.filters.text.lines import Lines, split_lines, unwrap
from gristmill.filters.words.spacy_words import spacy_words
from gristmill.filters.words.unicode_words import unicode_words
from gristmill.filters.words.words import Words
from gristmill.pipelines.inputs.turns import cut_prompts
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DECLARED, ID, TEXT, TURNS
from gristmill.pipelines.steps.canonical import canonical

SPLITTERS = {"unicode": unicode_words, "spacy": spacy_words}  # name in the recipe -> word splitter

NAME_COLUMNS = ("path", "file_path", "filename", "file_name", "max_stars_repo_path", "ext", "extension")


def name_columns(schema: pa.Schema) -> list[str]:
    """Return the string columns that hold the name of a document's file, or the end of it."""
    kinds = (pa.string(), pa.large_string())
    return [name for name in NAME_COLUMNS if name in schema.names and schema.field(name).type in kinds]


def extra_columns(schema: pa.Schema) -> list[str]:
    """Return the columns that a batch takes besides id and text: file names, declared languages, turns."""
    return [*name_columns(schema), *(name for name in (DECLARED, TURNS) if name in schema.names)]


def _file_name(column: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    values = values.cast(pa.large_string())
    if not column.startswith("ext"):
        return values
    return pc.binary_join_element_wise(pa.scalar("", pa.large_string()), values, pa.scalar(".", pa.large_string()))


@dataclass
class Batch:
    """Documents of a shard (about 8 MB of text), as the previous step left them."""

    text: Ragged
    language: np.ndarray | None = None  # str[n], ISO 639-1; None if no earlier step gives it or the step needs none
    splitter: str = "unicode"
    ids: Ragged | None = None  # for sampling; None if documents have none
    names: Ragged | None = None  # of the files that documents come from; None if documents have no ids
    columns: dict[str, Ragged] = field(default_factory=dict)  # others that a rewriter reads; null is an empty string
    turns: pa.ChunkedArray | None = None  # in the text as it was read; None if no document has roles
    as_read: Ragged | None = None  # of documents with turns
    declared: np.ndarray | None = None  # str or None[n], languages that `[input] language` gives; None if there is none

    @classmethod
    def of(cls, table: pa.Table, splitter: str, columns: Iterable[str] = ()) -> "Batch":
        """Return the documents of a table with a text column. Their ids and file names are optional columns.

        A file name is the first of NAME_COLUMNS that is not null, or else the id.
        """
        text, ids = Ragged.from_text(table[TEXT]), table[ID] if ID in table.column_names else None
        names = [_file_name(name, table[name]) for name in name_columns(table.schema)]
        names += [] if ids is None else [ids.cast(pa.large_string())]
        return cls(
            text,
            splitter=splitter,
            ids=None if ids is None else Ragged.from_text(ids),
            names=Ragged.from_text(pc.coalesce(*names)) if names else None,
            turns=table[TURNS] if TURNS in table.column_names else None,
            as_read=text if TURNS in table.column_names else None,
            columns={name: Ragged.from_text(table[name]) for name in columns},
            declared=np.array(table[DECLARED].to_pylist(), object) if DECLARED in table.column_names else None,
        )

    @property
    def has_roles(self) -> np.ndarray:
        """Documents with turns, bool[n]."""
        if self.turns is None:
            return np.zeros(self.text.rows, np.bool_)
        return self.turns.is_valid().to_numpy()

    @cached_property
    def canonical(self) -> Ragged:
        """Canonical text of every document, by which duplicates are found."""
        return canonical(self.text)

    @cached_property
    def prompts(self) -> Ragged:
        """Texts as they were read, up to the first answer of documents with roles."""
        if self.turns is None or self.as_read is None:
            return self.text
        return cut_prompts(self.as_read, self.turns)

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

    def part(self, begin: int, end: int) -> "Batch":
        """Return the documents ``begin:end``."""
        ids, names = (None if each is None else each.part(begin, end) for each in (self.ids, self.names))
        language, declared = (None if each is None else each[begin:end] for each in (self.language, self.declared))
        columns = {name: column.part(begin, end) for name, column in self.columns.items()}
        turns = None if self.turns is None else self.turns.slice(begin, end - begin)
        as_read = None if self.as_read is None else self.as_read.part(begin, end)
        return Batch(
            *(self.text.part(begin, end), language, self.splitter, ids, names, columns, turns, as_read, declared)
        )

    def rewritten(self, text: Ragged) -> "Batch":
        """Return the same documents with rewritten text."""
        return replace(self, text=text)
