"""Context of reading one unit, shared by all readers: settings, rejects, page extractor."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from gristmill.pipelines.inputs.inputs import InputSettings, source_of
from gristmill.pipelines.inputs.records import MAX_COLUMNS, RecordBatch, required_columns
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.plugins import Plugin
from gristmill.pipelines.readers.pages.html_extractor import IDLE, Extractor

log = logging.getLogger(__name__)

EXCERPT_CHARACTERS = 200
MAX_KINDS = 100  # of records that are skipped


@dataclass
class ReadContext:
    """State of reading one unit. ``on_reject`` receives each reject: file, position, offset, reason, excerpt."""

    settings: InputSettings
    on_reject: Callable[[dict], None]
    own: Plugin | None = None  # the reader that `input.reader` names
    rejects: int = field(default=0, init=False)
    lost_bytes: int = field(default=0, init=False)  # of the files as stored: see CorruptStream
    seen: set[str] = field(default_factory=set, init=False)  # names of columns of records that lack a required one
    no_documents: Counter[str] = field(default_factory=Counter, init=False)  # records skipped by design, by their kind

    @cached_property
    def needed(self) -> list[str]:
        """Columns that each row of a table must have: the text or page first."""
        return required_columns(self.settings)

    @cached_property
    def _in_rows(self) -> list[str]:
        """Columns that each row must have whose format has no column of pages."""
        first = self.settings.content if self.settings.records else self.settings.text
        return [first, *self.needed[1:]]

    @cached_property
    def extractor(self) -> Extractor:
        return IDLE.take(self.settings.max_page_seconds, self.settings.favor)

    def reject(
        self,
        piece: InputSlice,
        number: int,
        reason: str,
        excerpt: bytes | str = b"",
        offset: int | None = None,
        lost_bytes: int = 0,
    ) -> None:
        """Report a record that cannot be read: its number in the file from 1, its byte offset if known.

        The reason is a category, optionally followed by ": " and details. Offsets in a compressed file count
        decompressed bytes, and offsets in a file of another encoding its bytes as UTF-8. Invalid UTF-8 in the excerpt
        is escaped as ``\\xff``. A reject that stands for more than one record says how many bytes of the
        stored file were not read: ``lost_bytes``.
        """
        self.rejects += 1
        self.lost_bytes += lost_bytes
        if isinstance(excerpt, str):
            excerpt = excerpt[:EXCERPT_CHARACTERS].encode(errors="surrogatepass")
        escaped = excerpt[: 4 * EXCERPT_CHARACTERS].decode(errors="backslashreplace")[:EXCERPT_CHARACTERS]
        where = {"file": piece.file.name, "position": number, "offset": offset}
        lost = {"lost_bytes": lost_bytes, "file_bytes": piece.file.size}
        self.on_reject({**where, "reason": reason, "excerpt": escaped, **lost})

    def lacks(self, name: str, names: Iterable[str]) -> str:
        """Return the reason to reject a record with columns of these names."""
        names = sorted(names)
        if len(self.seen) < MAX_COLUMNS:
            self.seen.update(names)
        return f"no {name!r}: there is {', '.join(names[:8])}"

    def skipped(self, kind: str) -> None:
        """Count a record that is no document. Kinds come from the input, so their number is bounded."""
        known = kind in self.no_documents or len(self.no_documents) < MAX_KINDS
        self.no_documents[kind[:60] if known else "other"] += 1

    def join(self, piece: InputSlice, blocks: Iterable[bytes], max_bytes: int) -> bytes | None:
        """Return all blocks of a file as one; None after rejecting a file of more than ``max_bytes``."""
        parts, held = [], 0
        for block in blocks:
            parts.append(block)
            held += len(block)
            if held > max_bytes:
                self.reject(piece, 1, "record too long", parts[0], 0)
                return None
        return b"".join(parts)

    def batches(self, piece: InputSlice, rows: list[dict], numbers: list[int]) -> Iterator[RecordBatch]:
        """Yield the rows that have a text and all other required columns; reject all others."""
        numbered, needed = dict(zip(numbers, rows, strict=True)), self._in_rows
        lacking = {n: name for n, row in numbered.items() for name in needed if row.get(name) is None}
        for number, name in lacking.items():
            self.reject(piece, number, f"no {name!r}")
        if kept := {n: row for n, row in numbered.items() if n not in lacking}:
            yield RecordBatch.rows([*kept.values()], [*kept])

    def source(self, piece: InputSlice) -> str:
        """Return the source of documents without one of their own."""
        return piece.file.name if piece.file.format == "hf" else source_of(piece.file.name)

    def close(self) -> None:
        """Leave the extractor to the next unit, and log the records that were skipped."""
        if "extractor" in self.__dict__:
            IDLE.give(self.extractor)
        if self.no_documents:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.no_documents.most_common(8))
            log.info("skipped %d records that are no documents: %s", self.no_documents.total(), kinds)
