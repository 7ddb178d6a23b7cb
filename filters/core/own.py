"""Base classes of users' filters and rewriters: over one document at a time, or over whole batches.

They need no list of the settings that change measures: a setting that is a rule's threshold changes none, every other
one does. A ``measure`` that reads a threshold is an error, because its result would outlive the threshold.
"""

from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from gristmill.filters.core.adjustable import adjustable_settings
from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Filter, Rewriter
from gristmill.pipelines.ragged import Ragged

DECIDES = ("profiles", "use_profiles")  # settings of every filter that change decisions only


class Document:
    """Document as the steps before left it."""

    __slots__ = ("id", "language", "name", "text")

    def __init__(self, text: str, id: str = "", language: str | None = None, name: str = ""):
        self.text, self.id = text, id
        self.language = language  # if the filter has ``NEEDS = ("language",)`` and a step before gives it
        self.name = name  # of its file, or its id


class BatchDocument(Document):
    """Document of a batch: decodes its text at once, and the rest on request, which saves 260 of 1,170 ns."""

    __slots__ = ("_batch", "_row")

    def __init__(self, text: str, batch: Batch, row: int):
        self.text, self._batch, self._row = text, batch, row

    @property
    def id(self) -> str:  # type: ignore[override]
        return _string(self._batch.ids, self._row)

    @property
    def name(self) -> str:  # type: ignore[override]
        return _string(self._batch.names, self._row)

    @property
    def language(self) -> str | None:  # type: ignore[override]
        return None if self._batch.language is None else self._batch.language[self._row]


def _string(column: Ragged | None, row: int) -> str:
    return "" if column is None else column.row(row).decode()


class Own(Filter):
    """Filter of a user."""

    on_error: Literal["stop", "reject"] = "stop"  # "reject" removes a document on which the code fails

    def thresholds(self) -> list[str]:
        """Return the settings that are thresholds of rules, and not named in MEASURED."""
        return sorted({each.setting.partition(".")[0] for each in adjustable_settings(self)})

    def measured_settings(self) -> dict:
        """Return the settings that the measures depend on: all that are no thresholds."""
        decides, values = {*DECIDES, *self.thresholds()}, self.model_dump(mode="json")
        return super().measured_settings() | {key: value for key, value in values.items() if key not in decides}

    def without_thresholds(self) -> Self:
        """Return a copy to measure with: it lacks the thresholds, so that no measure can depend on them."""
        copy = self.model_copy()
        for name in self.thresholds():
            del copy.__dict__[name]
        return copy


class BatchFilter(Own):
    """Filter over batches: ``measure(batch)`` returns a ``pl.DataFrame`` with one row per document.

    A column of numbers has no null, NaN or infinite value.
    """


class DocumentFilter(Own):
    """Filter over single documents, in plain Python.

    A measure is a number, stored as a double, or text. All documents have the same measures.

    >>> from gristmill.filters.core.filter import Rule
    >>> class Shouty(DocumentFilter):
    ...     "Drops documents that shout."
    ...     max_exclamations: float = share(0.02)
    ...     def measure(self, doc):
    ...         return {"exclamations": doc.text.count("!") / max(1, len(doc.text))}
    ...     def rules(self):
    ...         return {"exclamations_too_high": Rule("exclamations", ">", self.max_exclamations)}
    >>> Shouty().measure(Document("Stop!"))
    {'exclamations': 0.2}
    """

    def measure(self, doc: Document) -> Mapping[str, float | str]:
        """Return the measures of one document by name."""
        raise NotImplementedError


class DocumentRewriter(Own, Rewriter):
    """Rewriter of single documents, text in, text out; the spans that changed are derived from the two texts.

    Its measure ``changed`` is the share of bytes of a document that it replaced or removed.
    """

    NEEDS: ClassVar[tuple[str, ...]] = ()

    def rewrite(self, doc: Document) -> str:
        """Return the new text of one document."""
        raise NotImplementedError


def share(default: float | None) -> Any:
    """Return the field of a setting that is a share: a number from 0 to 1."""
    return Field(default, ge=0, le=1)


def documents_of(batch: Batch) -> Iterator[Document]:
    """Yield the documents of a batch as Python objects."""
    return map(BatchDocument, batch.text.to_text().to_pylist(), repeat(batch), range(batch.text.rows))
